"""One file per endpoint, one Lambda per file."""
