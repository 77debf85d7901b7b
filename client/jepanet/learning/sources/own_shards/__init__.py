"""Datasets of a proposer's own pictures, pictures with texts, or pairs of texts: shards dealt anew."""
