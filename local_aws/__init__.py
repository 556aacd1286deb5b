"""The gateway on this machine alone: an AWS emulator, the stacks of the CDK app in it, a model, and the API in front."""
