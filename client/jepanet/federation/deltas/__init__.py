"""A contribution as bytes: codecs and what they leave out."""
