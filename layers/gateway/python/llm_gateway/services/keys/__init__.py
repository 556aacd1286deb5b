"""API keys: who holds one."""
