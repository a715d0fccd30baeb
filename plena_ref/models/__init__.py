"""Trained language models: their files, tokenizers, and what they become in HBM."""
