"""The audit log's rules."""
