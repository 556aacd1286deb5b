"""Prompts: the rules that hold for them."""
