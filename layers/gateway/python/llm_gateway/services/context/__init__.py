"""Context: what a query hands over, assembled for each candidate's window."""
