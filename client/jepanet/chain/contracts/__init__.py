"""The contracts: their ABIs, one typed wrapper each, and what their refusals mean."""
