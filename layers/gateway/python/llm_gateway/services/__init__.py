"""The use cases: what a caller can ask of the gateway, told in terms of the domain and its ports."""
