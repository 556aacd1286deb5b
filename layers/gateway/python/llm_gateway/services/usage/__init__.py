"""Usage: sums of what queries took, kept by the hour and the day, and read as rows."""
