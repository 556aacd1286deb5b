"""GET /v1/models/{model}: a model or prompt that the key may ask, whose name may have slashes."""

from typing import Any

from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.entrypoints.listing_models import Models


@endpoint
def get_model(model: str, models: Models) -> dict[str, Any]:
    """As OpenAI's own clients read it, or Anthropic's, which say so in `anthropic-version`."""
    return models.one(model)


handler = lambda_handler(get_model)
