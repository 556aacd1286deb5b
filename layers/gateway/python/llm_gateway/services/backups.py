"""A deployment's configuration as a file: keys, providers and prompts, written out, checked whole, and put back.

A file is lines of JSON: what it is, an item each, and at the end how many there were and their hash. Of secrets it has none:
a key's item has a keyed hash, and what hashes were keyed with, and the providers' credentials, are kept elsewhere.
"""

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from llm_gateway.domain.audit.entries import COMMAND_LINE, Deed
from llm_gateway.domain.strict_json import InvalidJson, parse
from llm_gateway.ports.audit import AuditLog
from llm_gateway.ports.backups import ConfigurationTables
from llm_gateway.ports.system import Clock

FORMAT: Final = "llm-gateway-backup"
VERSION: Final = 1
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "keys": ("key_id",),
    "providers": ("collection", "provider_id"),
    "prompts": ("collection", "place"),
}
"""The tables, and what their items are found by."""
MOST_LINE_CHARACTERS: Final = 3_000_000
"""More than an item of 400 KB takes, however its text is escaped."""

_DEEPEST: Final = 32


class NotABackup(Exception):
    """A file that is not to be put back; its text names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a whole and sound file has: items by table, the hash of their lines, and when it was made."""

    made_at: str
    counts: Mapping[str, int]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """How many items were put back, and how many were already there, by table."""

    put: Mapping[str, int]
    kept: Mapping[str, int]


class Backups:
    """Both ways. What is put back is entered in the audit log first: an import that breaks off is told of, too."""

    def __init__(self, *, tables: ConfigurationTables, log: AuditLog, clock: Clock) -> None:
        self._tables = tables
        self._log = log
        self._clock = clock

    def written(self) -> Iterator[str]:
        """The file, line by line."""
        yield json.dumps({"format": FORMAT, "version": VERSION, "made_at": _told(self._clock.now())})
        digest, counts = hashlib.sha256(), Counter(dict.fromkeys(KEYS, 0))
        for table in KEYS:
            for item in self._tables.items(table):
                line = json.dumps({"table": table, "item": {name: _as_json(value) for name, value in item.items()}})
                digest.update(line.encode())
                counts[table] += 1
                yield line
        yield json.dumps({"end": counts, "sha256": digest.hexdigest()})

    def restore(self, lines: Callable[[], Iterable[str]]) -> Restored:
        """Put back what `lines()` has, which is read twice: nothing is written before all of it was checked.

        An item that is already there stays as it is, so that an import can be repeated. Raises NotABackup.
        """
        contents = checked(lines())
        self._log.append(_deed(contents))
        put, kept = Counter(dict.fromkeys(KEYS, 0)), Counter(dict.fromkeys(KEYS, 0))
        for number, line in enumerate(lines(), start=1):
            found = _parsed(number, line)
            if "table" in found:
                table, item = _item(number, found)
                counter = put if self._tables.put_new(table, item) else kept
                counter[table] += 1
        return Restored(put=put, kept=kept)


def checked(lines: Iterable[str]) -> Contents:
    """What a file has. Raises NotABackup for one that is not sound, or not whole."""
    digest, counts, made_at = hashlib.sha256(), Counter(dict.fromkeys(KEYS, 0)), None
    contents: Contents | None = None
    for number, line in enumerate(lines, start=1):
        if contents is not None:
            raise NotABackup(f"line {number}: comes after the end")
        found = _parsed(number, line)
        if number == 1:
            made_at = _made_at(found)
        elif "end" in found:
            if found != {"end": dict(counts), "sha256": digest.hexdigest()}:
                raise NotABackup(
                    f"line {number}: its count or its hash is not that of the lines before: some are changed"
                )
            contents = Contents(made_at=str(made_at), counts=counts, sha256=digest.hexdigest())
        else:
            table, _ = _item(number, found)
            digest.update(line.rstrip("\n").encode())
            counts[table] += 1
    if contents is None:
        raise NotABackup("it has no end: the file was cut short")
    return contents


def _parsed(number: int, line: str) -> dict[str, Any]:
    if len(line) > MOST_LINE_CHARACTERS:
        raise NotABackup(f"line {number}: has more than {MOST_LINE_CHARACTERS} characters")
    try:
        found = parse(line, unique_names=True)
    except InvalidJson as invalid:
        raise NotABackup(f"line {number}: {invalid}") from None
    if not isinstance(found, dict):
        raise NotABackup(f"line {number}: is not an object")
    return found


def _made_at(head: Mapping[str, Any]) -> str:
    if head.get("format") != FORMAT:
        raise NotABackup(f'line 1: "format" is not {FORMAT!r}: this is no backup')
    if head.get("version") != VERSION:
        raise NotABackup(f'line 1: "version" is not {VERSION}, the only one that is known here')
    if unknown := sorted(head.keys() - {"format", "version", "made_at"}):
        raise NotABackup(f"line 1: {', '.join(map(repr, unknown))} is nothing that a backup begins with")
    return str(head.get("made_at"))


def _item(number: int, found: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    table, item = found.get("table"), found.get("item")
    if not isinstance(table, str) or table not in KEYS:
        raise NotABackup(f'line {number}: "table" is none of {", ".join(KEYS)}')
    if not isinstance(item, dict):
        raise NotABackup(f'line {number}: "item" is not an object')
    try:
        typed = {name: _as_typed(value, depth=1) for name, value in item.items()}
    except ValueError as wrong:
        raise NotABackup(f'line {number}: "item" {wrong}') from None
    for name in KEYS[table]:
        if not typed.get(name, {}).get("S"):
            raise NotABackup(f'line {number}: "item" has no text as its {name!r}')
    return table, typed


def _as_json(typed: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, value),) = typed.items()
    match kind:
        case "B":
            value = base64.b64encode(value).decode()
        case "BS":
            value = [base64.b64encode(one).decode() for one in value]
        case "M":
            value = {name: _as_json(one) for name, one in value.items()}
        case "L":
            value = [_as_json(one) for one in value]
    return {kind: value}


def _as_typed(value: Any, *, depth: int) -> dict[str, Any]:
    """Raises ValueError, a predicate without its subject."""
    if not isinstance(value, dict) or len(value) != 1 or depth > _DEEPEST:
        raise ValueError("has an attribute that is not one type with its value")
    ((kind, held),) = value.items()
    match kind, held:
        case ("S" | "N", str()) | ("BOOL" | "NULL", bool()):
            return {kind: held}
        case "B", str():
            return {kind: _bytes(held)}
        case "BS", [str(), *_]:
            return {kind: [_bytes(one) for one in held]}
        case "SS" | "NS", [str(), *_] if all(isinstance(one, str) for one in held):
            return {kind: held}
        case "M", dict():
            return {kind: {name: _as_typed(one, depth=depth + 1) for name, one in held.items()}}
        case "L", list():
            return {kind: [_as_typed(one, depth=depth + 1) for one in held]}
    raise ValueError(f"has a value that is not of its type {str(kind)[:10]!r}")


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ValueError("has bytes that are not base64") from None


def _deed(contents: Contents) -> Deed:
    after = {"made_at": contents.made_at, "items": dict(contents.counts), "sha256": contents.sha256}
    return Deed(actor=COMMAND_LINE, action="backup.imported", target=contents.sha256[:12], after=after)


def _told(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
