"""Recipes as people write them: presets, one TOML file each; such files read, checked and written."""
