"""What families of language models share: batches of pairs of texts, their loss, what is compared."""
