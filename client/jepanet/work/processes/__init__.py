"""One training by several processes of a machine: who starts them, and what each does."""
