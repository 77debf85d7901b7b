"""What datasets are built from that no simulator plays."""
