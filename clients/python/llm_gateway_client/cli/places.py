"""Which gateway a command talks to, and with which key: the environment, the run on this machine, or a login."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from llm_gateway_client.address import KEY_VARIABLE, URL_VARIABLE, address_of, is_on_this_machine, is_same, key_in

_LOCAL_RUN: Final = Path(".local") / "gateway.json"
_OTHERS: Final = 0o077


class NoPlace(Exception):
    """It is not known where the gateway is, or with which key to talk to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A gateway's address, a key's secret, and who said so."""

    url: str
    key: str = field(repr=False)
    told_by: str


def login_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where `login` keeps address and key."""
    base = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or Path.home()) / ".config"
    return Path(base) / "llm-gateway" / "login.json"


def find(url: str | None = None, *, environment: Mapping[str, str] = os.environ, folder: Path | None = None) -> Place:
    """The place to talk to. A key goes to no other address than the one that it was given for. Raises NoPlace, ValueError."""
    told_url, told_key = url or environment.get(URL_VARIABLE), key_in(environment, url=url)
    if told_url:
        address_of(told_url, allow_http=True)
    known = [
        place for place in (_local_run(folder or Path.cwd()), _login(login_file(environment))) if place is not None
    ]
    if told_url and told_key:
        return Place(url=told_url, key=told_key, told_by="--url" if url else URL_VARIABLE)
    if told_url:
        same = next((place for place in known if is_same(place.url, told_url)), None)
        if same is None:
            other = f" ({KEY_VARIABLE} is for {URL_VARIABLE})" if environment.get(KEY_VARIABLE) else ""
            raise NoPlace(
                f"No key is known for {told_url}{other}. Set {KEY_VARIABLE}, or keep one with `llm-gateway login {told_url}`."
            )
        return same
    if told_key:
        where = "".join(f", for instance {place.url} (told by {place.told_by})" for place in known[:1])
        raise NoPlace(
            f"{KEY_VARIABLE} is set, and it is not said for which gateway: set {URL_VARIABLE} beside it{where}, or unset it."
        )
    if known:
        return known[0]
    raise NoPlace(
        f"No gateway is known. Set {URL_VARIABLE} and {KEY_VARIABLE}, or keep both with `llm-gateway login URL`, or start one "
        "with `make run` in a clone of its repository and work inside that."
    )


def write_login(path: Path, *, url: str, key: str) -> None:
    """Keep address and key, for their owner's eyes alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        json.dump({"base_url": url, "api_key": key}, file, indent=2)
        file.write("\n")
    partial.replace(path)


def _local_run(folder: Path) -> Place | None:
    """The gateway that `make run` serves from the folder or one above it.

    Nobody else's file is believed, nor one that leads to another machine.
    """
    for each in (folder, *folder.parents):
        path = each / _LOCAL_RUN
        told = _read(path)
        if told is not None:
            place = _place(told, path)
            return place if place is not None and _is_here(place.url) and path.stat().st_uid == os.getuid() else None
    return None


def _login(path: Path) -> Place | None:
    told = _read(path)
    if told is None:
        return None
    if path.stat().st_mode & _OTHERS:
        raise NoPlace(f"{path} can be read by others: `chmod 600 {path}`, and rotate the key that is in it.")
    return _place(told, path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise NoPlace(f"{path} cannot be read: {error}") from error
    return told if isinstance(told, dict) else {}


def _place(told: Mapping[str, Any], path: Path) -> Place | None:
    url, key = told.get("base_url"), told.get("api_key")
    return Place(url=url, key=key, told_by=str(path)) if isinstance(url, str) and isinstance(key, str) else None


def _is_here(url: str) -> bool:
    try:
        return is_on_this_machine(httpx.URL(url))
    except httpx.InvalidURL:
        return False
