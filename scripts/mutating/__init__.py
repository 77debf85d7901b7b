"""What planting faults takes, whatever they are planted in."""
