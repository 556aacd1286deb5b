"""Prompts: what they are made of, their versions and labels, and the rules that hold for them."""
