"""`llm-gateway login`: keeps an address and a key."""

import sys
from typing import Annotated

import typer

from llm_gateway_client.address import address_of, is_same
from llm_gateway_client.cli import places
from llm_gateway_client.cli.session import session


def login(
    url: Annotated[str | None, typer.Argument(help="The gateway's address, with its stage.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget what is kept instead.")] = False,
) -> None:
    """Keep an address and a key, in a file for your eyes only. The key is asked for, or read from standard input."""
    path = places.login_file()
    if forget:
        path.unlink(missing_ok=True)
        session().terminal.note(f"{path} is gone. The key itself is still valid: `llm-gateway keys revoke ID` ends it.")
        return
    address = _address(url, session().url)
    key = typer.prompt("Key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not key.strip():
        raise ValueError("There is no key on standard input.")
    # Only a key that is one is kept.
    with session().client_of(address, key) as client:
        own = client.keys.own()
    places.write_login(path, url=address, key=key.strip())
    session().terminal.say(f"Logged in to {address} as {own.name} ({own.role}).")
    session().terminal.note(f"Kept in {path}.")


def _address(url: str | None, option: str | None) -> str:
    """Where the key is sent: what was said to `login`, or else `--url`, or else GATEWAY_URL. Raises ValueError."""
    address = str(address_of(url or option, allow_http=session().allow_http))
    if option and not is_same(option, address):
        raise ValueError(
            f"--url says {str(address_of(option, allow_http=True))!r}, and login {address!r}: say one of them."
        )
    return address
