"""The builds of the layers, as far as they need no network."""
