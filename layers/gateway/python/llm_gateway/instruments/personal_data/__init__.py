"""Personal data, found by patterns and checksums."""
