"""JSON from strangers: what is read, what is refused and with which bound, at what cost, and hashed by value."""

import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.strict_json import (
    DEEPEST,
    MOST_DIGITS,
    Bounds,
    InvalidJson,
    _object_hook,
    canonical,
    digest,
    is_deeper,
    parse,
)

from tests.adapters.steps import steps

FOUR_MEGABYTES = 4 * 1024 * 1024
OF_A_BODY = Bounds(members_of_one_object=10_000, values=400_000)

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


def refused(document: bytes | str, **options: Any) -> str:
    with pytest.raises(InvalidJson) as caught:
        parse(document, **options)
    return str(caught.value)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@given(_VALUES)
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse(text, unique_names=True) == parse(text.encode(), bounds=OF_A_BODY) == value


@given(st.text(max_size=40) | st.text(alphabet='[]{},:"\\0.eE+-tn u', max_size=40))
def test_a_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        read = parse(text, bounds=Bounds(values=5, members_of_one_object=2), unique_names=True)
    except InvalidJson:
        return
    assert read == json.loads(text)


def test_a_byte_order_mark_is_no_part_of_a_document() -> None:
    assert parse(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "is not JSON (Expecting value at line 1, column 1)"),
        ("{", "is not JSON ("),
        ('"a\x00"', "is not JSON (Invalid control character at line 1, column 3)"),
        ("{}\n{}", "at line 2, column 1)"),
        (b"\xff", "is not UTF-8"),
        ("NaN", "holds NaN, which is none in JSON"),
        ('{"a": [-Infinity]}', "holds -Infinity, which is none in JSON"),
        ("1e999", "holds a number that is too large: 308 digits at most"),
        ("[-1e999]", "holds a number that is too large"),
        ("9" * 309, "holds a number that is too large: 308 digits at most"),
        ("[-" + "1" * 5_000 + "]", "holds a number that is too large"),
        (r'"\ud800"', "holds half of a surrogate pair, which is no text"),
        (r'{"\udc00x": 1}', "holds half of a surrogate pair"),
        ('"\ud800"', "holds half of a surrogate pair"),
        (nested(DEEPEST + 1), "is nested too deeply, in more than 100 levels"),
        (nested(100_000), "is nested too deeply, in more than 100 levels"),
        ('{"a":' * 1_000_000, "is nested too deeply"),
    ],
)
def test_what_would_break_later_is_refused(document: bytes | str, said: str) -> None:
    assert said in refused(document)


@pytest.mark.parametrize(
    "number", ["9" * MOST_DIGITS, "-" + "9" * MOST_DIGITS, "1.5", "1e300", "0." + "1" * 5_000, "-0"]
)
def test_every_number_that_is_read_fits_into_a_double(number: str) -> None:
    value = parse(f'["{"8" * 5_000}", {number}]')[1]
    assert value == json.loads(number)
    assert float(value) < float("inf")


@given(st.integers(0, 700), st.integers(0, 700), st.sampled_from(["", " ", '"x",', '"' + "7" * 308 + '",']))
def test_a_number_that_is_too_large_is_found_wherever_it_is(before: int, after: int, other: str) -> None:
    around = "[" + other + " " * before, "," + "1," * (after // 2) + "0" + " " * (after % 2) + "]"
    largest = "9" * MOST_DIGITS
    assert len(parse(largest.join(around))) >= 2
    assert "too large" in refused(f"{largest}9".join(around))


def test_half_a_pair_passes_where_the_other_half_may_follow() -> None:
    assert parse(r'["\ud83d", "\ude00"]', half_pairs=True) == ["\ud83d", "\ude00"]
    assert parse(r'["\ud83d\ude00", "\\ud800"]') == ["\N{GRINNING FACE}", r"\ud800"]


def test_names_are_unique_where_they_must_be() -> None:
    twice = r'[{"b": {"a": 1, "b": 2, "\u0061": 3}}]'
    assert parse(twice) == [{"b": {"a": 3, "b": 2}}]
    assert refused(twice, unique_names=True) == "has 'a' twice in one object"
    assert len(refused(json.dumps("x" * 5_000).join(["{", ":1,", ":2}"]), unique_names=True)) < 200


def test_levels_members_and_values_have_bounds_that_are_named() -> None:
    bounds = Bounds(levels=2, members_of_one_object=3, values=5)
    for document in ('{"a": 1, "b": 2, "c": 3}', "[1, 2, 3, 4]", "[[1]]", "[[1], 2, 3]"):
        assert parse(document, bounds=bounds) == json.loads(document)
    assert refused("[[[]]]", bounds=bounds) == "is nested too deeply, in more than 2 levels"
    assert (
        refused('{"a": 1, "b": 2, "c": 3, "d": 4}', bounds=bounds) == "has an object with too many members: 3 at most"
    )
    assert refused('[[1], 2, {"a": 3}]', bounds=bounds) == "has too many values: 5 at most"
    assert refused("[1, 2, 3, 4, 5]", bounds=bounds) == "has too many values: 5 at most"


@pytest.mark.parametrize("text", ["a,[{" * 100, r'",\",[\\' * 100, ",", '"', "\\"])
def test_a_text_is_one_value_whatever_is_in_it(text: str) -> None:
    assert parse(json.dumps([text, text]), bounds=Bounds(values=3)) == [text, text]


def of_size(beginning: str, piece: Callable[[int], str], end: str, size: int) -> bytes:
    pieces, length = [], 0
    while length < size:
        pieces.append(piece(len(pieces)))
        length += len(pieces[-1])
    return (beginning + "".join(pieces) + end).encode()


HOSTILE: dict[str, tuple[str, Callable[[int], str], str]] = {
    "a name that comes again at the end": ("{", lambda number: f'"{number:x}":0,', '"1":0}'),
    "zeros": ("[", lambda _: "0,", "0]"),
    "long numbers": ("[", lambda _: "9" * 308 + ",", "0]"),
    "numbers that are too long": ("[", lambda _: "9" * 4_000 + ",", "0]"),
    "fractions": ("[", lambda _: "0.1,", "0]"),
    "lists": ("[", lambda _: "[[]],", "0]"),
    "objects": ("[", lambda _: '{"":0},', "0]"),
    "lists that do not end": ("", lambda _: "[", ""),
    "texts": ("[", lambda _: '"",', "0]"),
    "escaped quotes in a text that does not end": ("[" + "0," * 400_000 + '"', lambda _: r"\"", ""),
    "quotes": ("[" + "0," * 400_000, lambda _: '"', ""),
    "half pairs": ("[", lambda _: r'"\ud800",', "0]"),
    "pairs": ('"', lambda _: r"\ud83d\ude00", '"'),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("bounds", [OF_A_BODY, Bounds()], ids=["bounded", "unbounded"])
def test_twice_the_document_is_twice_the_work(kind: str, bounds: Bounds) -> None:
    def read(size: int) -> None:
        with suppress(InvalidJson):
            parse(of_size(*HOSTILE[kind], size=size), bounds=bounds, unique_names=True)

    one, two = (steps(partial(read, size)) for size in (FOUR_MEGABYTES // 32, FOUR_MEGABYTES // 16))
    assert two <= 2.2 * one


class Name(str):
    """A name that counts how often one like it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)  # type: ignore[no-any-return]


def test_a_name_that_comes_again_is_found_in_one_pass() -> None:
    members = [(Name(f"{number:x}"), 0) for number in range(10_000)]
    with pytest.raises(InvalidJson, match="'1' twice"):
        _object_hook(None, unique_names=True)([*members, (Name("1"), 0)])  # type: ignore[misc]
    assert Name.compared < 3 * len(members)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bounded_document_takes_little_memory(kind: str) -> None:
    document = of_size(*HOSTILE[kind], size=FOUR_MEGABYTES // 4)
    tracemalloc.start()
    try:
        with suppress(InvalidJson):
            parse(document, bounds=OF_A_BODY, unique_names=True)
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 150 * 1024 * 1024 // 4


def test_levels_are_lists_and_objects() -> None:
    assert not is_deeper("text", 0)
    assert not is_deeper([1, "x"], 1)
    assert not is_deeper([], 1)
    assert is_deeper([], 0)
    assert is_deeper([1, {"a": 1}], 1)


def test_true_is_not_one_and_a_text_no_number() -> None:
    values: list[Any] = [True, 1, "1", None, "None", [], {}, 1.5]
    assert len({repr(canonical(value)) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": [1, 2]}', '{ "b" : [1.0, 2e0], "a" : 1.00 }'),
        ("0", "-0.0"),
        ("100", "1e2"),
        ('"\\u00e9"', '"é"'),
    ],
)
def test_one_value_has_one_digest_however_it_is_written(one: str, other: str) -> None:
    assert digest(json.loads(one)) == digest(json.loads(other))


def test_other_values_have_other_digests() -> None:
    values = [
        "true",
        "1",
        '"1"',
        "1.5",
        "null",
        "[]",
        "{}",
        "[1]",
        "[[1]]",
        "[1,2]",
        "[2,1]",
        "false",
        "0",
        '{"a":1}',
        "-1",
    ]
    large = ["9007199254740993", "9007199254740992"]
    assert len({digest(json.loads(value)) for value in (*values, *large)}) == len(values) + len(large)
