"""What an operator asks of a deployment from outside: whether it works, and what it costs."""
