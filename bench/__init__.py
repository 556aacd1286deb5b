"""Measures what a deployment's users feel: cold starts and warm calls of the built layers under the real runtime client."""
