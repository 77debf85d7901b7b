"""Who looks at a whole network and takes no part: what it knows, the methods that tell it, its server."""
