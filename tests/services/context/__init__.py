"""Contexts, assembled."""
