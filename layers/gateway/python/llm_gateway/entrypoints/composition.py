"""The one gateway of this process."""

from functools import cache

from llm_gateway.bootstrap import Gateway
from llm_gateway.settings import Settings


@cache
def gateway() -> Gateway:
    """Made from the environment when it is first asked for."""
    return Gateway(Settings.from_environment())
