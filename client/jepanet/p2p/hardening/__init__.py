"""What py-libp2p leaves open, closed from outside the library."""
