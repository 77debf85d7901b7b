"""Everything that touches libp2p."""
