"""Language models of others, as Hugging Face's folders and GGUF files hold them, made recipes and weights."""
