"""The laboratory: whole federations in one process, against every control, without chain or network."""
