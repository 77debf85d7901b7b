"""Everything on disk: the journal and the blob store."""
