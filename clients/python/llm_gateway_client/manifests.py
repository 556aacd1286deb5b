"""A deployment as a file: providers, prompts with their labels, and keys; what it takes to get there, and the way."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal, cast

from llm_gateway_client import files, suites
from llm_gateway_client.answers import ApiKey, KeyIssued, PromptConfig, ProviderConfig
from llm_gateway_client.errors import ProviderNotFound
from llm_gateway_client.files import FileBroken
from llm_gateway_client.synchronous.client import GatewayClient

_SECTIONS: Final = ("providers", "prompts", "keys")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What the gateway says of its own of what it has: a file that was made of its answers may repeat it.
_TOLD: Final = {
    "providers": ("created_at", "updated_at", "revision"),
    "keys": ("id", "status", "hint", "last_used_at", "created_at", "updated_at", "revision"),
}
_NOTHING: Final[tuple[Any, ...]] = (None, [], {}, "")
NEWEST: Final = "newest"
_UNKNOWN_KEY: Final = "the stored key is too short to be told from another: it is written each time"
_FIRST: Final = ("id", "name", "kind", "base_url", "default_model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step: what becomes of what, in which members. `carry_out` does it, and gives a key where it makes one. `note` says why
    it is taken where nothing may have changed."""

    sign: Literal["+", "~", "=", "-"]
    what: str
    members: tuple[str, ...] = ()
    note: str | None = None
    carry_out: Callable[[], KeyIssued | None] = field(default=lambda: None, repr=False)

    @property
    def is_needed(self) -> bool:
        return self.sign != "="


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file wants to be there. What it does not name stays as it is, and so does a member that it does not say.

    `sections` are those that it has, with something in them or not.
    """

    path: Path
    providers: list[dict[str, Any]]
    prompts: list[dict[str, Any]]
    keys: list[dict[str, Any]]
    sections: frozenset[str]

    def changes(self, client: GatewayClient) -> Iterator[Change]:
        """The steps, in the order in which they can be taken. Nothing is written. Raises FileBroken, GatewayError."""
        yield from (_provider(client, wanted) for wanted in self.providers)
        for wanted in self.prompts:
            yield from _prompt(client, wanted)
        yield from self._keys(client)

    def _keys(self, client: GatewayClient) -> Iterator[Change]:
        if not self.keys:
            return
        there = [key for key in client.keys.list() if key.status == "active"]
        for wanted in self.keys:
            same = [key for key in there if key.name == wanted["name"]]
            if len(same) > 1:
                raise FileBroken(
                    self.path, f"keys.{wanted['name']}: {len(same)} active keys have this name, so that none is meant."
                )
            yield _key(client, wanted, same[0] if same else None)


def read(path: Path, *, environment: Mapping[str, str] = os.environ) -> Manifest:
    """The file, with `${NAME}` filled from the environment. Raises FileBroken."""
    told = files.read(path)
    unknown = sorted(told.keys() - set(_SECTIONS))
    if unknown:
        raise FileBroken(path, f"{', '.join(unknown)}: there is no such section; there are {', '.join(_SECTIONS)}.")
    sections = {name: _section(told.get(name), name, path, environment) for name in _SECTIONS}
    for section, id_of in (("providers", "id"), ("keys", "name")):
        _require_ids(sections[section], id_of, section, path)
    sections["prompts"] = [_whole_prompt(each, path) for each in sections["prompts"]]
    _require_ids(sections["prompts"], "id", "prompts", path)
    there = frozenset(name for name in _SECTIONS if told.get(name) is not None)
    return Manifest(path, sections["providers"], sections["prompts"], sections["keys"], there)


def _section(told: Any, name: str, path: Path, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    if told is None:
        return []
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise FileBroken(path, f"{name}: has to be a list, each of whose items has names and values.")
    if name == "prompts":
        return told  # A prompt's own text may say `${…}`; only what is somebody's secret or address is filled.
    return [_without_what_is_told(_filled(each, path, environment), name) for each in told]


def _without_what_is_told(item: dict[str, Any], section: str) -> dict[str, Any]:
    credentials = item.get("credentials")
    is_told = isinstance(credentials, dict) and "configured" in credentials and "api_key" not in credentials
    told = (*_TOLD[section], "credentials") if is_told else _TOLD[section]
    return {name: value for name, value in item.items() if name not in told}


def as_file(provider: ProviderConfig) -> dict[str, Any]:
    """The file that wants the provider as it is: what the gateway tells of its own, and its secret, are not in it."""
    told = _without_what_is_told(provider.model_dump(mode="json"), "providers")
    return {"providers": [_said({name: told[name] for name in dict.fromkeys((*_FIRST, *told))})]}


def _said(value: Any) -> Any:
    """`value` without what says nothing."""
    if isinstance(value, list):
        return [_said(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _said(each) for name, each in value.items()}
    return {name: each for name, each in plain.items() if each not in _NOTHING}


def _filled(value: Any, path: Path, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, path, environment) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, path, environment) for each in value]
    return (
        _VARIABLE.sub(lambda found: _variable(found[1], path, environment), value) if isinstance(value, str) else value
    )


def _variable(name: str, path: Path, environment: Mapping[str, str]) -> str:
    if not environment.get(name):
        raise FileBroken(path, f"{name} is not set in the environment.")
    return environment[name]


def _require_ids(items: list[dict[str, Any]], member: str, section: str, path: Path) -> None:
    seen: set[str] = set()
    for item in items:
        found = item.get(member)
        if not isinstance(found, str) or not found:
            raise FileBroken(path, f"{section}: each needs a {member}.")
        if found in seen:
            raise FileBroken(path, f"{section}.{found}: is there twice.")
        seen.add(found)


def _whole_prompt(said: dict[str, Any], path: Path) -> dict[str, Any]:
    """A prompt that may be in a file of its own (`file`), with the labels that are to lead to its versions."""
    labels = said.get("labels") or {}
    if not isinstance(labels, dict) or not all(_is_target(each) for each in labels.values()):
        raise FileBroken(path, f"prompts: a label leads to a version's number, or to `{NEWEST}`.")
    rest = {name: value for name, value in said.items() if name not in ("labels", "file")}
    if "file" not in said:
        return {**rest, "labels": labels}
    if rest or not isinstance(said["file"], str):
        raise FileBroken(path, "prompts: one that is in a `file` of its own has nothing beside it here but `labels`.")
    return {**suites.read_prompt(path.parent / said["file"]), "labels": labels}


def _is_target(said: Any) -> bool:
    return said == NEWEST or (isinstance(said, int) and not isinstance(said, bool))


def _provider(client: GatewayClient, wanted: dict[str, Any]) -> Change:
    what = f"provider {wanted['id']}"
    try:
        stored = client.providers.get(wanted["id"])
    except ProviderNotFound:
        return Change(sign="+", what=what, carry_out=lambda: _none(client.providers.create(**cast("Any", wanted))))
    there = stored.model_dump(mode="json")
    plain = {name: value for name, value in wanted.items() if name != "credentials"}
    members = [*differing(plain, there), *(["credentials"] if _has_another_key(wanted, stored) else [])]
    if not members:
        return Change(sign="=", what=what)
    body = merged(there, wanted if "credentials" in members else plain)
    return Change(
        sign="~",
        what=what,
        members=tuple(members),
        note=_UNKNOWN_KEY if "credentials" in members and _is_unknown(stored) else None,
        carry_out=lambda: _none(client.providers.update(stored.id, body, if_match=stored.revision)),
    )


def _has_another_key(wanted: Mapping[str, Any], stored: ProviderConfig) -> bool:
    """Whether the API key is another one, as far as its last four characters tell: more is not shown of one that is stored.

    It may be where not even those are shown.
    """
    credentials = wanted.get("credentials")
    key = credentials.get("api_key") if isinstance(credentials, dict) else None
    if not isinstance(key, str):
        return False
    return not stored.credentials.configured or _is_unknown(stored) or not key.endswith(_hint(stored))


def _is_unknown(stored: ProviderConfig) -> bool:
    """Whether there is a key that is so short that nothing of it is shown."""
    return stored.credentials.configured and not _hint(stored)


def _hint(stored: ProviderConfig) -> str:
    return (stored.credentials.hint or "").lstrip("…")


def _prompt(client: GatewayClient, wanted: dict[str, Any]) -> Iterator[Change]:
    labels: dict[str, Any] = wanted["labels"]
    prompt = {"name": wanted["id"], **{name: value for name, value in wanted.items() if name != "labels"}}
    stored = suites.find(client, prompt["id"])
    what = f"prompt {prompt['id']}"
    members = tuple(suites.changes(prompt, stored.model_dump(mode="json"))) if stored else ()
    if stored is None or members:
        sign: Literal["+", "~"] = "~" if stored else "+"
        yield Change(sign=sign, what=what, members=members, carry_out=lambda: _none(suites.pushed(client, prompt)))
    else:
        yield Change(sign="=", what=what)
    writes = stored is None or "template" in members or "defaults" in members or "output" in members
    for label, target in labels.items():
        yield _label(client, prompt["id"], stored, label, target, writes=writes)


def _label(
    client: GatewayClient, prompt_id: str, stored: PromptConfig | None, label: str, target: int | str, *, writes: bool
) -> Change:
    there = stored.labels.get(label) if stored else None
    version = (stored.version if stored and not writes else None) if target == NEWEST else target
    what = f"label {label} of {prompt_id}"
    if there is not None and there.version == version:
        return Change(sign="=", what=what)

    def move() -> None:
        current = client.prompts.get(prompt_id)
        to = current.version if target == NEWEST else int(target)
        client.prompts.move_label(prompt_id, label, version=to, if_match=there.revision if there else None)

    return Change(sign="~" if there else "+", what=f"{what} → {target}", carry_out=move)


def _key(client: GatewayClient, wanted: dict[str, Any], stored: ApiKey | None) -> Change:
    what = f"key {wanted['name']}"
    if stored is None:
        return Change(sign="+", what=what, carry_out=lambda: client.keys.create(**cast("Any", wanted)))
    members = tuple(differing(wanted, stored.model_dump(mode="json")))
    if not members:
        return Change(sign="=", what=what)
    return Change(
        sign="~",
        what=what,
        members=members,
        carry_out=lambda: _none(client.keys.update(stored.id, wanted, if_match=stored.revision)),
    )


def differing(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> Iterator[str]:
    """The paths in `wanted` whose values `stored` has otherwise; what is not said is no difference, nor is null for nothing."""
    for name, value in wanted.items():
        there = stored.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            yield from (f"{name}.{path}" for path in differing(value, there))
        elif not _holds(value, there) and not _means(name, value, there):
            yield name


def _holds(wanted: Any, stored: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(stored, dict):
        return not any(differing(wanted, stored))
    if isinstance(wanted, list) and isinstance(stored, list):
        return len(wanted) == len(stored) and all(map(_holds, wanted, stored))
    return bool(wanted == stored) or (wanted in _NOTHING and stored in _NOTHING)


def _means(name: str, wanted: Any, stored: Any) -> bool:
    """Whether two texts are one time or one amount of money, which can be written in several ways."""
    if not isinstance(wanted, str | int | float) or not isinstance(stored, str):
        return False
    try:
        if name.endswith("_at"):
            return datetime.fromisoformat(str(wanted)) == datetime.fromisoformat(stored)
        return (name == "amount" or "usd" in name) and Decimal(str(wanted)) == Decimal(stored)
    except (ValueError, TypeError, InvalidOperation):
        return False


def merged(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """`stored` with the members of `wanted` in it."""
    both = {
        name: merged(stored[name], value) for name, value in wanted.items() if _are_mappings(stored.get(name), value)
    }
    return {**stored, **wanted, **both}


def _are_mappings(stored: Any, wanted: Any) -> bool:
    return isinstance(stored, dict) and isinstance(wanted, dict) and "api_key" not in wanted


def _none(_: object) -> None:
    """Nothing that has to be shown came of it."""
