"""What is found out about prompts."""
