"""The audit log: reading it, keeping it out of reach, and counting what was refused."""
