"""Tests of the doors: HTTP as clients see it."""
