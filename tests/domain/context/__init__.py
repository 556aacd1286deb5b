"""What of a context is sent."""
