"""What the use cases need of the world, as protocols: one module an area."""
