"""What actions that only look hold open: the chain's history, a library of blobs, a visit to the network."""
