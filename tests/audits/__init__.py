"""What `make audit` looks at, and that what it says is so."""
