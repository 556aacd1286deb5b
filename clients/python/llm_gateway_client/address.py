"""Where the gateway is, and who asks: what a client is told, or else its environment."""

import os
from collections.abc import Generator, Mapping

import httpx

from llm_gateway_client.calls import BASE_PATH

URL_VARIABLE = "GATEWAY_URL"
KEY_VARIABLE = "GATEWAY_KEY"


class KeyAuth(httpx.Auth):
    """Sends a key's secret with each request."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._secret}"
        yield request


def address_of(url: str | None, environment: Mapping[str, str] = os.environ) -> httpx.URL:
    """`url`, or what GATEWAY_URL says. Raises ValueError if there is neither, or if it is no address of a gateway."""
    told = url or environment.get(URL_VARIABLE)
    if not told:
        raise ValueError(f"Where is the gateway? Give its url, or set {URL_VARIABLE}.")
    try:
        address = httpx.URL(told.rstrip("/"))
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(f"{told!r} is no address: {error}") from error
    if address.scheme not in ("http", "https") or not address.host or address.query or address.userinfo:
        raise ValueError(
            f"{told!r} is no address of a gateway: say https://host, with the stage's path if there is one."
        )
    if address.path.endswith(BASE_PATH):
        raise ValueError(f"{told!r} has the API's own path at its end: leave {BASE_PATH} out.")
    return address


def auth_of(key: str | None, auth: httpx.Auth | None, environment: Mapping[str, str] = os.environ) -> httpx.Auth:
    """`auth`, or the key, or what GATEWAY_KEY says. Raises ValueError if there is none, or a key that no header can hold."""
    if auth is not None:
        return auth
    secret = (key or environment.get(KEY_VARIABLE, "")).strip()
    if not secret:
        raise ValueError(f"Who asks? Give a key, an auth that signs, or set {KEY_VARIABLE}.")
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValueError("The key is none: it has characters that no key has.")
    return KeyAuth(secret)
