"""GET /v1/models: the models and prompts that the key may ask."""

from typing import Any

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler
from llm_gateway.wire.openai.models import models_shown


@endpoint
def list_models(caller: Caller, gateway: Gateway) -> dict[str, Any]:
    """As OpenAI's own clients list them."""
    return models_shown(gateway.catalog.all(caller))


handler = lambda_handler(list_models)
