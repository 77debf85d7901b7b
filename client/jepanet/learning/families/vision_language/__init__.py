"""The vision-language model: a picture and a question to the embedding of the answer's text."""
