# Written by `make openapi` from the asynchronous module of the same name; do not edit.
"""The synchronous client."""
