"""Language models of the architectures that Hugging Face's `transformers` knows, trained whole or by LoRA."""
