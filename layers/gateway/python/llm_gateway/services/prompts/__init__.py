"""Prompts: their templates, the variables that fill them, and the system messages that are composed of roles."""
