"""An OpenAI-compatible chat server around one llama.cpp model: a process, a Lambda image or a Fargate task."""
