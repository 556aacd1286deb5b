"""A serverless gateway in front of hosted and local language models."""
