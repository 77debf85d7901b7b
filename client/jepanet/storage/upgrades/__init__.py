"""What an older journal becomes when it is opened, and the copy that is kept of it first."""
