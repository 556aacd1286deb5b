"""The life of a query: asked, answered, read, cancelled and erased."""
