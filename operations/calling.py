"""Calls a deployed gateway as any client would, with the standard library alone."""

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final
from urllib.parse import urlsplit

API: Final = "/api/v1/llm"
TIMEOUT_S: Final = 60.0
MOST_BYTES: Final = 10_000_000


class BrokenAnswer(OSError):
    """What answers there does not keep to HTTP, or breaks off."""


class WrongAddress(Exception):
    """An address that is not to be called; its text says what one looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: "Message[str, str]"
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty one where it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A gateway's address without a slash at its end, and a key to it."""

    url: str
    key: str

    def call(self, method: str, path: str, body: Any = None, *, with_key: bool = True) -> Answer:
        """Send a request. Raises OSError where nobody answers, and BrokenAnswer where that is no answer."""
        headers = {"Content-Type": "application/json", "User-Agent": "llm-gateway-smoke"}
        if with_key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(  # noqa: S310 - `checked` lets http and https through alone
            f"{self.url}{path}",
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with self._opener().open(request, timeout=TIMEOUT_S) as response:
                return Answer(status=response.status, headers=response.headers, body=response.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            return self._refused(error)
        except http.client.HTTPException as error:
            raise BrokenAnswer(f"{method} {path} was not answered to the end: {error!r}") from error

    def _refused(self, error: urllib.error.HTTPError) -> Answer:
        try:
            with error:
                return Answer(status=error.code, headers=error.headers, body=error.read(MOST_BYTES))
        except http.client.HTTPException as broken:
            raise BrokenAnswer(f"status {error.code} was not told to the end: {broken!r}") from broken

    def _opener(self) -> urllib.request.OpenerDirector:
        # A proxy that the environment names is for other machines.
        handlers = [urllib.request.ProxyHandler({})] if _is_near(urlsplit(self.url).hostname or "") else []
        return urllib.request.build_opener(*handlers, _NoRedirects())


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A gateway answers where it is called; a key is not carried anywhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def checked(url: str) -> str:
    """`url` without a slash at its end. Raises WrongAddress for one to which no key should go."""
    if "@" in url or "?" in url:
        raise WrongAddress(
            "URL has a name, a password or a query in it (it is not shown here); only the key tells who asks"
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongAddress(
            f"URL is {url!r}; an address like https://abc.execute-api.eu-west-1.amazonaws.com/prod is wanted"
        )
    if parts.scheme == "http" and not _is_near(parts.hostname):
        raise WrongAddress(f"URL is {url!r}; over http a key would travel in the clear, so https is wanted")
    return url.rstrip("/")


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
