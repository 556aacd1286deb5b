"""Many callers at once, while providers fail, a worker is killed and the emulator stalls: what was lost, and what grew."""
