"""Static and supply-chain checks: what `make audit` looks at, and what it says of it."""
