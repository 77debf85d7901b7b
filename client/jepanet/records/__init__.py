"""Strict trees <-> frozen records: one reader and writer for configuration, documents, recipes, journal."""
