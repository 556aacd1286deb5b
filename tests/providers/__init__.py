"""Tests of the providers' adapters."""
