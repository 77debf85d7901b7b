"""What each command of the command line takes, which handles it opens, and how the answer is printed."""
