"""What the contracts said, complete and in order, as facts."""
