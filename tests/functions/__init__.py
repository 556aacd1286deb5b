"""Tests of the handlers behind API Gateway."""
