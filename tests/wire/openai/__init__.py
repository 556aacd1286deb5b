"""Tests of the HTTP schemas."""
