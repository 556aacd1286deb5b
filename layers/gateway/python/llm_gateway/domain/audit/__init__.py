"""The audit log's rules: what an entry tells, and how a chain of entries shows that nobody touched it."""
