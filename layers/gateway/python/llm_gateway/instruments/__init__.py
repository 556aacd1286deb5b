"""Adapters that store nothing: the clock, ids, prices, token counts and the journal."""
