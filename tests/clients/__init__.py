"""Tests of what calls a gateway from outside."""
