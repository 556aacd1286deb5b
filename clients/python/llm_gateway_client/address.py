"""Where the gateway is, and who asks: what a client is told, or else its environment."""

import ipaddress
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


def address_of(url: str | None, environment: Mapping[str, str] = os.environ, *, allow_http: bool = False) -> httpx.URL:
    """`url`, or what GATEWAY_URL says; over plain http only to this machine, unless `allow_http`.

    Raises ValueError if there is neither, or if it is no address of a gateway.
    """
    told = url or environment.get(URL_VARIABLE)
    if not told:
        raise ValueError(f"Where is the gateway? Give its url, or set {URL_VARIABLE}.")
    _require_no_secret(told)
    try:
        address = httpx.URL(told.rstrip("/"))
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(f"{told!r} is no address: {error}") from error
    if address.scheme not in ("http", "https") or not address.host or address.fragment:
        raise ValueError(
            f"{told!r} is no address of a gateway: say https://host, with the stage's path if there is one."
        )
    if address.path.endswith(BASE_PATH):
        raise ValueError(f"{told!r} has the API's own path at its end: leave {BASE_PATH} out.")
    if address.scheme == "http" and not (allow_http or is_on_this_machine(address)):
        raise ValueError(
            f"{told!r} is plain http: the key, questions and answers would cross the network for all to read. Say https://, "
            "or allow it for a network of your own (`allow_http=True`, on the command line `--allow-http`)."
        )
    return address


def _require_no_secret(told: str) -> None:
    """What may be a password or a token is not repeated: the message may end in a log."""
    if "@" in told or "?" in told:
        raise ValueError(
            "The address has a name or a password before its host, or a query behind it (it is not shown here): say "
            "https://host, with the stage's path if there is one. Only the key tells who asks."
        )


def is_on_this_machine(address: httpx.URL) -> bool:
    """Whether what is sent there never reaches a network."""
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return address.host == "localhost"


def is_same(one: str | None, other: str | None) -> bool:
    """Whether both are an address, and the same one."""
    return bool(one) and bool(other) and _plain(str(one)) == _plain(str(other))


def _plain(url: str) -> str:
    try:
        return str(httpx.URL(url.rstrip("/")))
    except httpx.InvalidURL:
        return url


def auth_of(
    key: str | None, auth: httpx.Auth | None, environment: Mapping[str, str] = os.environ, *, url: str | None = None
) -> httpx.Auth:
    """`auth`, or the key, or what GATEWAY_KEY says, unless that belongs to another gateway (GATEWAY_URL) than `url`.

    Raises ValueError if there is none, or a key that no header can hold.
    """
    if auth is not None:
        return auth
    secret = (key or key_in(environment, url=url) or "").strip()
    if not secret and environment.get(KEY_VARIABLE):
        raise ValueError(f"{KEY_VARIABLE} is for the gateway at {URL_VARIABLE}, which is another one: give a key, too.")
    if not secret:
        raise ValueError(f"Who asks? Give a key, an auth that signs, or set {KEY_VARIABLE}.")
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValueError("The key is none: it has characters that no key has.")
    return KeyAuth(secret)


def key_in(environment: Mapping[str, str], *, url: str | None) -> str | None:
    """What GATEWAY_KEY says; None where GATEWAY_URL says that it is for another gateway than `url`."""
    home = environment.get(URL_VARIABLE)
    return environment.get(KEY_VARIABLE) if not (url and home) or is_same(url, home) else None
