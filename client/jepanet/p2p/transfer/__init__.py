"""Blobs from peer to peer, in pieces that are checked."""
