"""Transformer blocks that families share: `shapes` without torch, `block` with it."""
