"""GET /v1/models/{model}: a model or prompt that the key may ask, whose name may have slashes."""

from typing import Any

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler
from llm_gateway.wire.openai.models import model_shown


@endpoint
def get_model(model: str, caller: Caller, gateway: Gateway) -> dict[str, Any]:
    """As OpenAI's own clients read it."""
    return model_shown(gateway.catalog.find(model, caller))


handler = lambda_handler(get_model)
