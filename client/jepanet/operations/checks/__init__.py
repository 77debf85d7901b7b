"""What `jepanet node check` looks at."""
