"""OpenAI's Responses API, as its own clients speak it: stateless, each request with its whole conversation."""
