"""Keys: files, passwords, signatures."""
