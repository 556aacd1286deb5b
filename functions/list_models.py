"""GET /v1/models: the models and prompts that the key may ask."""

from typing import Any

from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.entrypoints.listing_models import ListedModels


@endpoint
def list_models(models: ListedModels) -> dict[str, Any]:
    """As OpenAI's own clients list them, or Anthropic's, which say so in `anthropic-version`."""
    return models.all()


handler = lambda_handler(list_models)
