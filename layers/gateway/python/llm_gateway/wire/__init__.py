"""The HTTP schemas, to and from the domain."""
