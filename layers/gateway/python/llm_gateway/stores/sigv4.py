"""AWS Signature Version 4 for a POST without a query: what botocore signs, with the key of a day made once.

The source is AWS's page "Create a signed AWS API request"; `tests/stores/test_sigv4.py` holds it to botocore's own signer.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Credentials(Protocol):
    """As of one moment: a token and the key that it belongs to."""

    @property
    def access_key(self) -> str: ...

    @property
    def secret_key(self) -> str: ...

    @property
    def token(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class _DayKey:
    """What signs with a secret for a day: a code of nothing yet.

    A copy of it takes less than a new one; and it keeps the interpreter, which `hmac.digest` hands to another thread: of three
    requests that leave beside each other, the first would wait for what comes before the sending of the others.
    """

    secret: str = field(repr=False)
    day: str
    begun: hmac.HMAC = field(repr=False)


class Signer:
    """`now_s` is the time in seconds since 1970."""

    def __init__(
        self,
        *,
        service: str,
        region: str,
        url: str,
        content_type: str,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._service = service
        self._region = region
        self._host = host_of(url)
        self._path = urlsplit(url).path or "/"
        self._content_type = content_type
        self._now_s = now_s
        self._day_key: _DayKey | None = None

    def headers(self, credentials: Credentials, *, target: str, body: bytes) -> dict[str, str]:
        """The headers of a signed request for `target` ("DynamoDB_20120810.GetItem")."""
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now_s()))
        headers = {"content-type": self._content_type, "host": self._host, "x-amz-date": at}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        headers["x-amz-target"] = target
        names = ";".join(headers)
        lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
        request = f"POST\n{self._path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        signed = f"{_ALGORITHM}\n{at}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        code = self._day_keys_code(credentials.secret_key, at[:8])
        code.update(signed.encode())
        headers["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={code.hexdigest()}"
        )
        return headers

    def _day_keys_code(self, secret: str, day: str) -> hmac.HMAC:
        known = self._day_key
        if known is None or known.day != day or known.secret != secret:
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            known = self._day_key = _DayKey(secret, day, hmac.new(key, digestmod="sha256"))
        return known.begun.copy()


def host_of(url: str) -> str:
    """As HTTP's header has it: without the port where that is the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    own_port = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in (None, own_port) else f"{host}:{parts.port}"
