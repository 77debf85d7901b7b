"""What several roles do."""
