"""The command line, `llm-gateway`."""
