"""What every command stands on: its terminal, and the client of its gateway."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import typer

from llm_gateway_client.cli import places
from llm_gateway_client.cli.terminal import Terminal
from llm_gateway_client.retries import Retries
from llm_gateway_client.synchronous.client import GatewayClient


@dataclass
class Session:
    """Made once for a command; the gateway is looked for when it is needed."""

    url: str | None = None
    as_json: bool = False
    most_retries: int = 2
    allow_http: bool = False

    @cached_property
    def terminal(self) -> Terminal:
        return Terminal(as_json=self.as_json)

    @cached_property
    def place(self) -> places.Place:
        return places.find(self.url)

    @cached_property
    def client(self) -> GatewayClient:
        return self.client_of(self.place.url, self.place.key)

    def client_of(self, url: str, key: str) -> GatewayClient:
        """A client of any gateway, as the command's options want it."""
        return GatewayClient(url, key, retries=Retries(most=self.most_retries), allow_http=self.allow_http)

    def close(self) -> None:
        if "client" in vars(self):
            self.client.close()


_CURRENT: ContextVar[Session] = ContextVar("session")


def begin() -> Session:
    """A session of its own for the command that is about to run."""
    begun = Session()
    _CURRENT.set(begun)
    return begun


def session() -> Session:
    """The running command's session."""
    return _CURRENT.get()


def _want_json(wanted: bool) -> bool:
    if wanted:
        session().as_json = True
    return wanted


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.", callback=_want_json, is_eager=True)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")]


@contextmanager
def goes_on(what: str) -> Iterator[None]:
    """Says what Ctrl-C does not end."""
    try:
        yield
    except KeyboardInterrupt:
        session().terminal.note(what)
        raise


def confirm(question: str, *, yes: bool) -> None:
    """Asks, unless it was said already. Where nobody can answer, nothing is done: that is a misuse."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ValueError(f"{question} Nobody can answer here: say --yes if it is meant.")
    typer.confirm(question, abort=True, err=True)
