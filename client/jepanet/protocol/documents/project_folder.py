"""The folder of a project's published files: `jepanet project create` writes it, a proposer serves it."""

from __future__ import annotations

PROJECT_FILES = "project"
"""Name of the folder, below that of the dataset."""
RECIPE_FILE = "recipe.json"
MANIFEST_FILE = "manifest.json"
METADATA_FILE = "metadata.json"
FIRST_MODEL_FILE = "model.safetensors"
