"""What a node cannot make anew, in one file, and a node's folder out of such a file."""
