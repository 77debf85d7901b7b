"""What `jepanet doctor` finds beyond `jepanet node check`, and what may be shown of it to others."""
