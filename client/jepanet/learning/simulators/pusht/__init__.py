"""PushT: a disc pushes a T."""
