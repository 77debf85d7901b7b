"""The image model: hidden blocks of a picture predicted from the rest of it."""
