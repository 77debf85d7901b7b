"""From TOML to values."""
