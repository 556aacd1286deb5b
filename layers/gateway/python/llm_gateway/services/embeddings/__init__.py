"""Embeddings: texts that become vectors, under the limits and budgets of the key that asks."""
