"""Dataclasses that are made in a fifth of the time: what a frozen one with slots needs is written when it is first needed.

The standard library writes and compiles six methods for each class while it is defined: 0.6 ms. A cold start defines two hundred
classes, and a query makes values of fifty. Here a class gets its `__init__` with its first value, and shares all other methods.
What inherits from one that is made here is made here, too.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

T = TypeVar("T")

__all__ = ["dataclass"]

_LEFT_OUT: Final = object()

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, slots: bool = False, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
        """As the standard library's. Only those that are `frozen` and have `slots` are made otherwise."""
        if not (frozen and slots):
            return dataclasses.dataclass(frozen=frozen, slots=slots, kw_only=kw_only)
        return lambda cls: _made(cls, kw_only=kw_only)


def _made(cls: type[T], *, kw_only: bool) -> type[T]:
    own = set(vars(cls))
    if "__eq__" in own and vars(cls)["__hash__"] is None:
        # Python says so for each class that has its own; a frozen one has a hash all the same.
        own.discard("__hash__")
    # What has no docstring would get its signature as one, and that is found by calling it.
    cls.__doc__ = cls.__doc__ or cls.__name__
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
    for name, method in _METHODS.items():
        if name not in own:
            setattr(made, name, method)
    if "__init__" not in own:
        made.__init__ = _first_init(made)
    done: type[T] = made
    return done


def _first_init(cls: Any) -> Callable[..., None]:
    def write_and_run(self: Any, *args: Any, **kwargs: Any) -> None:
        # Two threads may both write it: what they write is the same.
        init = cls.__init__ = _init_of(cls)
        init(self, *args, **kwargs)

    return write_and_run


def _init_of(cls: Any) -> Callable[..., None]:
    given: dict[str, Any] = {"_left_out": _LEFT_OUT, "_set": object.__setattr__}
    positional, named, lines = ["self"], list[str](), list[str]()
    for field in dataclasses.fields(cls):
        name, value, default = field.name, field.name, ""
        if not field.init:
            raise TypeError(f"{cls.__qualname__}.{name} is not given when a value is made: that is not made here")
        if field.default is not dataclasses.MISSING:
            given[f"_default_{name}"] = field.default
            default = f"=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            given[f"_make_{name}"] = field.default_factory
            default, value = "=_left_out", f"_make_{name}() if {name} is _left_out else {name}"
        (named if field.kw_only else positional).append(f"{name}{default}")
        lines.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join([*positional, *(["*", *named] if named else [])])
    text = f"def __init__({parameters}):\n    " + "\n    ".join(lines or ["pass"])
    exec(text, given)  # noqa: S102 - as the standard library does it: of names that are identifiers, and nothing else.
    init: Callable[..., None] = given["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


@cache
def _compared(cls: type[Any]) -> Callable[[Any], Any]:
    """What two values of a class are compared by."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return attrgetter(*names) if names else lambda _: ()


@cache
def _hashed(cls: type[Any]) -> Callable[[Any], Any]:
    names = [each.name for each in dataclasses.fields(cls) if (each.compare if each.hash is None else each.hash)]
    return attrgetter(*names) if names else lambda _: ()


def _eq(self: Any, other: object) -> Any:
    compared = _compared(self.__class__)
    return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_hashed(self.__class__)(self))


def _repr(self: Any) -> str:
    shown = [f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr]
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _setattr(_self: Any, name: str, _value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_METHODS: Final = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
