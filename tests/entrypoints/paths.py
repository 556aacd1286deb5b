"""Paths that nearly lead to a route."""

import re

from llm_gateway.access import Endpoint


def with_a_slash_too_many(row: Endpoint) -> list[str]:
    """The row's path with an empty step, at each place where that is no part of a name with slashes."""
    path = re.sub(r"\{\w+\}", "nobody", row.path)
    slashes = [place for place, letter in enumerate(f"{path}/") if letter == "/"]
    if row.rest:
        slashes = slashes[:-2]
    return [f"{path[:place]}/{path[place:]}" for place in slashes]
