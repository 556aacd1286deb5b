"""What is found out about prompts: by their tests, by their queries' figures, and by feedback."""
