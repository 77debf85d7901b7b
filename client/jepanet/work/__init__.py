"""Heavy work as typed requests, carried out in a child process."""
