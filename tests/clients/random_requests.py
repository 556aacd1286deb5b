"""Random requests, made from the request types of the official SDKs. Each text and number in them is one of a kind, so that it
can be looked for in what a provider was sent."""

import collections.abc
import random
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NotRequired, Required

from typing_extensions import is_typeddict

_UNLIKELY: Final = 0.01
_NOT_FIXED: Final = object()


@dataclass
class Maker:
    """`usual` are the members of unions that are chosen as a rule. `fixed` has the members that have to mean something, or makes
    them, by the type's name and their own, or by their own alone. `rare` are members that are chosen now and
    then, and `always` those that are optional to the types alone."""

    random: random.Random
    usual: frozenset[str]
    fixed: Mapping[str, Any]
    rare: frozenset[str]
    always: frozenset[str]
    number: int = 0
    place: str = ""
    words: list[tuple[str, Any]] = field(default_factory=list)

    def word(self) -> str:
        """A text that is one of a kind, noted with its place."""
        self.number += 1
        return self._noted(f"w{self.number:04d}x")

    def _noted(self, value: Any) -> Any:
        self.words.append((self.place.strip("."), value))
        return value

    def of(self, kind: Any, path: str) -> Any:
        """A value of that type. `path` is where it will stand."""
        self.place = path
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (Required, NotRequired, typing.Annotated):
            return self.of(arguments[0], path)
        if origin in (typing.Union, types.UnionType):
            return self.of(self._chosen(arguments), path)
        if origin is typing.Literal:
            return self.random.choice(arguments)
        if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
            return [self.of(arguments[0], f"{path}[]") for _ in range(self.random.randint(1, 2))]
        if origin is dict:
            self.place = f"{path}.*"
            return {self.word(): self.of(arguments[1], f"{path}.*")}
        if is_typeddict(kind):
            return self.object(kind, path)
        return self._plain(kind, path)

    def object(self, kind: Any, path: str) -> dict[str, Any]:
        hints = typing.get_type_hints(kind, include_extras=True)
        made = {}
        for name, hint in hints.items():
            if not self._wants(kind, name, hint, path):
                continue
            self.place = f"{path}.{name}"
            given = self.fixed.get(f"{kind.__name__}.{name}", self.fixed.get(name, _NOT_FIXED))
            if given is _NOT_FIXED:
                made[name] = self.of(hint, f"{path}.{name}")
            else:
                made[name] = given(self) if callable(given) else given
        return made

    def _wants(self, kind: Any, name: str, hint: Any, path: str) -> bool:
        if name in self.always or name in kind.__required_keys__ or typing.get_origin(hint) is Required:
            return True
        return self.random.random() < (
            _UNLIKELY if f"{path}.{name}".strip(".") in self.rare or name in self.rare else 0.3
        )

    def _chosen(self, members: tuple[Any, ...]) -> Any:
        some = [member for member in members if member is not type(None)]
        usual = [member for member in some if not is_typeddict(member) or member.__name__ in self.usual]
        return self.random.choice(some if not usual or self.random.random() < _UNLIKELY / 2 else usual)

    def _plain(self, kind: Any, path: str) -> Any:
        if kind is bool:
            return self.random.random() < 0.5
        if kind is int:
            self.number += 1
            return self._noted(20_000 + self.number)
        if kind is float:
            self.number += 1
            return self._noted(round(0.1 + self.number / 100_000, 5))
        return self.word()
