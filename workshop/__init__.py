"""Sets the tools up: a virtual environment from hashed locks, the model's server, Node and the CDK command line.

It runs before anything is installed, so it uses the standard library alone.
"""
