"""The language model: the next token of texts, and which of two texts are about one thing."""
