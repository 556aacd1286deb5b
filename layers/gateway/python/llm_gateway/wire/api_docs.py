"""The API about itself: its health, its OpenAPI document, a page to read that by, and a page for each error code.

The pages need no other host and no file of anybody else's. Each is one text, whose style and script are named in its policy by
their hashes: nothing else can run on them, which matters where a key is typed in.
"""

import base64
import hashlib
import html
import re
from importlib import resources
from string import Template
from typing import Literal

from llm_gateway.errors import ErrorPageNotFound
from llm_gateway.wire.schema import Outgoing

_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


class Alive(Outgoing):
    """The gateway answers."""

    status: Literal["ok"]


def openapi_document() -> str:
    """The whole API's OpenAPI document, as JSON: the file that `make openapi` writes from the code."""
    return resources.files("llm_gateway.wire").joinpath("openapi.json").read_text(encoding="utf-8")


def docs_page() -> str:
    """The document as a page to read and try; it reads `openapi.json` beside itself."""
    page = Template(_file("reference.html"))
    return page.substitute(style=_file("reference.css"), script=_file("reference.js"))


def error_page(code: str) -> str:
    """What `code` means and what to do about it. Raises `ErrorPageNotFound` for a code that the API does not have."""
    from llm_gateway.wire.error_codes import ERROR_CODES

    error = ERROR_CODES.get(code)
    if error is None:
        raise ErrorPageNotFound("There is no such error code. The routes and their errors are listed at /docs.")
    page = Template(_file("error.html"))
    return page.substitute(
        code=code, status=error.status, meaning=_as_html(error.meaning), remedy=_as_html(error.remedy)
    )


def policy_of(page: str) -> dict[str, str]:
    """The header that lets `page` run its own script and style, call its own API, and nothing else."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    sources = [f"{kind}-src {' '.join(of_kind)}" for kind, of_kind in hashes.items() if of_kind]
    sources += ["connect-src 'self'"] if hashes["script"] else []
    closed = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    return {"Content-Security-Policy": "; ".join([*closed, *sources]), "Referrer-Policy": "no-referrer"}


def _file(name: str) -> str:
    return resources.files("llm_gateway.wire").joinpath("pages", name).read_text(encoding="utf-8")


def _as_html(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text, quote=False))
