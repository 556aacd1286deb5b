"""Fakes, one per port."""
