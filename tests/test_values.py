"""Dataclasses of our own making: they are what the standard library would have made of the same words."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

import llm_gateway.domain
import llm_gateway.ports
import pytest
from llm_gateway import values
from pydantic import TypeAdapter

T = TypeVar("T")


def written(dataclass: Any) -> dict[str, Any]:
    """The same classes, made by one `dataclass` or the other."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        a: int
        b: str = "b"
        c: list[int] = field(default_factory=list)
        d: str | None = field(default=None, compare=False)
        e: str = field(default="secret", repr=False)
        f: int = field(default=0, hash=False)
        kind: ClassVar[str] = "named"

    @dataclass(frozen=True, slots=True)
    class Placed:
        """With words of its own."""

        a: int
        b: int = 2
        c: int = field(default=3, kw_only=True)

    @dataclass(frozen=True, slots=True)
    class Beneath(Placed):
        d: str = "d"

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        a: int

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ValueError("below zero")

    @dataclass(frozen=True, slots=True)
    class Itself:
        a: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Itself)

        def __repr__(self) -> str:
            return "itself"

    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    @dataclass(frozen=True, slots=True)
    class Of(Generic[T]):
        it: T

    @dataclass(slots=True)
    class Open:
        a: int

    return {each.__name__: each for each in (Named, Placed, Beneath, Checked, Itself, Empty, Of, Open)}


OURS, THEIRS = written(values.dataclass), written(dataclass)
MADE: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Named", (), {"a": 1}),
    ("Named", (), {"a": 1, "b": "x", "c": [1], "d": "d", "e": "e", "f": 5}),
    ("Placed", (1,), {}),
    ("Placed", (1, 5), {"c": 9}),
    ("Placed", (), {"b": 1, "a": 2}),
    ("Beneath", (1, 2, "x"), {"c": 0}),
    ("Checked", (), {"a": 0}),
    ("Itself", (1,), {}),
    ("Empty", (), {}),
    ("Of", ({"a": 1},), {}),
    ("Open", (1,), {}),
]


def parameters(cls: type[Any]) -> list[tuple[str, Any, bool]]:
    found = inspect.signature(cls.__init__).parameters.values()
    return [(each.name, each.kind, each.default is inspect.Parameter.empty) for each in found]


@pytest.mark.parametrize(("name", "args", "kwargs"), MADE)
def test_a_value_is_as_the_standard_library_makes_it(name: str, args: Any, kwargs: Any) -> None:
    ours, theirs = OURS[name](*args, **kwargs), THEIRS[name](*args, **kwargs)
    assert repr(ours) == repr(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert parameters(OURS[name]) == parameters(THEIRS[name])
    assert (OURS[name].__match_args__, OURS[name].__slots__) == (THEIRS[name].__match_args__, THEIRS[name].__slots__)
    assert copy.copy(ours) == copy.deepcopy(ours) == ours == OURS[name](*args, **kwargs)
    assert replace(ours) == ours
    assert ours != theirs
    assert not hasattr(ours, "__dict__")


@pytest.mark.parametrize("made", [OURS, THEIRS])
def test_values_are_told_apart_by_what_is_compared(made: dict[str, Any]) -> None:
    named = made["Named"]
    assert named(a=1, d="one") == named(a=1, d="other")
    assert named(a=1) != named(a=2)
    assert named(a=1) != 1
    placed = made["Placed"]
    assert {placed(1), placed(1, 2), placed(2)} == {placed(1), placed(2)}
    assert hash(made["Itself"](1)) == hash(made["Itself"](1))
    assert made["Itself"](1) == made["Itself"](2)
    assert made["Beneath"](1) != placed(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(named(a=1))
    with pytest.raises(TypeError, match="unhashable"):
        hash(made["Open"](1))


@pytest.mark.parametrize("made", [OURS, THEIRS])
def test_what_is_frozen_stays_as_it_is(made: dict[str, Any]) -> None:
    value = made["Placed"](1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'a'"):
        value.a = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'a'"):
        del value.a
    assert value == made["Placed"](1)
    own = made["Named"](a=1)
    own.c.append(1)
    assert made["Named"](a=1).c == []


@pytest.mark.parametrize("made", [OURS, THEIRS])
def test_what_is_wrong_with_a_value_is_told_the_same(made: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required keyword-only argument: 'a'"):
        made["Named"]()
    with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword argument 'z'"):
        made["Named"](a=1, z=2)
    with pytest.raises(TypeError, match="positional argument"):
        made["Named"](1)
    with pytest.raises(ValueError, match="below zero"):
        made["Checked"](a=-1)


@pytest.mark.parametrize("made", [OURS, THEIRS])
def test_pydantic_reads_and_writes_them(made: dict[str, Any]) -> None:
    adapter = TypeAdapter(made["Named"])
    value = made["Named"](a=1, c=[2], d="d")
    assert adapter.validate_json(adapter.dump_json(value)) == value
    assert adapter.validate_json(b'{"a": 7}') == made["Named"](a=7)


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Pickled:
    a: int
    b: str = "b"


def test_a_value_is_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pickled(a=1, b="c"))) == Pickled(a=1, b="c")  # noqa: S301


def test_the_first_value_may_be_made_in_many_threads() -> None:
    for _ in range(50):
        first, together = written(values.dataclass)["Named"], threading.Barrier(4)

        def make(number: int, first: Any = first, together: threading.Barrier = together) -> Any:
            together.wait(10)
            return first(a=number)

        with ThreadPoolExecutor(4) as pool:
            assert [each.a for each in pool.map(make, range(4))] == [0, 1, 2, 3]


def test_what_is_not_made_here_is_refused() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Counted:
        a: int
        count: int = field(default=0, init=False)

    with pytest.raises(TypeError, match=r"Counted\.count is not given"):
        Counted(1)


def _classes() -> Iterator[Any]:
    for package in (llm_gateway.domain, llm_gateway.ports):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            found = vars(importlib.import_module(module.name)).values()
            yield from (each for each in found if isinstance(each, type) and dataclasses.is_dataclass(each))


def test_all_values_of_the_domain_take_what_their_fields_say() -> None:
    classes = set(_classes())
    assert len(classes) > 150
    for cls in classes:
        fields = {each.name for each in dataclasses.fields(cls)}
        # Some look at what they are given: that is to be something.
        with suppress(*([AttributeError, TypeError, ValueError] if hasattr(cls, "__post_init__") else [])):
            cls(**dict.fromkeys(fields))
        assert {name for name, _, _ in parameters(cls)} == {"self", *fields}, cls
