"""A network as a notebook sees it."""
