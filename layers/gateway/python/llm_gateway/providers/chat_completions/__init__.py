"""OpenAI's Chat Completions wire, which many servers speak; in what they differ is a `Dialect`."""
