"""Shards, windows and the manifest that names them."""
