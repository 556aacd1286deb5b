"""Talks to a gateway over HTTP; knows nothing of the gateway's own code."""
