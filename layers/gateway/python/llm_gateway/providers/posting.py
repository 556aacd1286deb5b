"""A body that is sent as an SDK's client would send it.

The SDKs' own methods first hold what they send against the types of all that they know, and even their `post`, which does not,
costs as much as the exchange itself. So an SDK's client is asked once what it sends to a path, and again for each failure what
that means. It opens no connection: what goes out goes by an HTTP client beside it.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

if TYPE_CHECKING:
    import httpx2

Client = TypeVar("Client")
_Headers = tuple[tuple[str, Any], ...]
_Outcome = Callable[["httpx2.Request"], "httpx2.Response"]

# Ways in which one provider is asked: a few paths, each with one or two sets of headers.
_MOST_LETTERS: Final = 32
# No call is given as long, so a header that tells it is one that tells the time allowed.
_TOLD_S: Final = 86_399.25
# As both SDKs and httpx2 write JSON.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

_rehearsed: ContextVar[_Outcome] = ContextVar("rehearsed_outcome")


def without_environment(client: Client) -> Client:
    """`client`, without the headers that the environment has for its vendor (`OPENAI_CUSTOM_HEADERS`): a key may be among them,
    and it is not for whichever server a provider is at. The SDKs cannot be told to leave them out."""
    if not hasattr(client, "_custom_headers"):
        raise TypeError("this client keeps headers of the environment elsewhere")
    client._custom_headers = {}
    return client


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """What goes out to one path, but for the body and the time allowed. `timed` and `sized` are places in `headers`."""

    url: "httpx2.URL"
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    timed: tuple[int, ...]
    sized: int
    extensions: Mapping[str, Any]

    @classmethod
    def like(cls, request: "httpx2.Request") -> "_Letter":
        headers, told = tuple(request.headers.raw), str(_TOLD_S).encode()
        return cls(
            url=request.url,
            headers=headers,
            timed=tuple(place for place, (_, value) in enumerate(headers) if value == told),
            sized=next(place for place, (name, _) in enumerate(headers) if name.lower() == b"content-length"),
            extensions=request.extensions,
        )

    def request(self, body: bytes, *, timeout: "httpx2.Timeout", cookies: "httpx2.Cookies") -> "httpx2.Request":
        import httpx2

        headers, told = list(self.headers), str(timeout.read).encode()
        for place in self.timed:
            headers[place] = headers[place][0], told
        headers[self.sized] = headers[self.sized][0], b"%d" % len(body)
        return httpx2.Request(
            "POST",
            self.url,
            headers=headers,
            cookies=cookies,
            stream=httpx2.ByteStream(body),
            extensions={**self.extensions, "timeout": timeout.as_dict()},
        )


class Posting:
    """Sends to one vendor's API by `http`. `client` makes the vendor's client upon the HTTP client that it is given."""

    def __init__(self, client: Callable[["httpx2.Client"], Any], *, http: "httpx2.Client") -> None:
        import httpx2

        rehearsal = httpx2.Client(
            transport=httpx2.MockTransport(lambda request: _rehearsed.get()(request)),
            headers=http.headers,
            # It sees failures, and their cookies are not for what goes out afterwards.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
        )
        self.http = http
        self._client = client(rehearsal)
        self._letter = lru_cache(_MOST_LETTERS)(partial(_letter, self._client))

    @contextmanager
    def posted(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, Any], timeout: "httpx2.Timeout"
    ) -> Generator[Iterator[bytes], None, None]:
        """What comes back, piece by piece. Raises what the SDK raises. Leaving it closes the connection."""
        written = tuple(headers.items())
        letter = self._letter(path, written)
        request = letter.request(_JSON.encode(body).encode(), timeout=timeout, cookies=self.http.cookies)
        try:
            response = self.http.send(request, stream=True)
        except Exception as error:
            self._fail(path, written, error)
        try:
            if not response.is_success:
                response.read()
                self._refuse(path, written, response)
            yield iter(response.stream)  # type: ignore[arg-type]
        finally:
            response.close()

    def _fail(self, path: str, headers: _Headers, error: Exception) -> NoReturn:
        def fail(_: "httpx2.Request") -> NoReturn:
            raise error

        _rehearse(self._client, path, headers, fail)
        raise error

    def _refuse(self, path: str, headers: _Headers, response: "httpx2.Response") -> NoReturn:
        _rehearse(self._client, path, headers, lambda _: response)
        raise AssertionError("an SDK raises whatever is no success")


def _letter(client: Any, path: str, headers: _Headers) -> _Letter:
    import httpx2

    return _Letter.like(_rehearse(client, path, headers, lambda _: httpx2.Response(200)).request)


def _rehearse(client: Any, path: str, headers: _Headers, outcome: _Outcome) -> "httpx2.Response":
    """What the SDK's client makes of `outcome` as the answer to what it sends to `path`."""
    import httpx2

    options = {"headers": dict(headers), "timeout": httpx2.Timeout(_TOLD_S)}
    rehearsed = _rehearsed.set(outcome)
    try:
        response: httpx2.Response = client.post(path, cast_to=httpx2.Response, body={}, options=options, stream=True)
        return response
    finally:
        _rehearsed.reset(rehearsed)
