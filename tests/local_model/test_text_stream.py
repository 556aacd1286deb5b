"""What reaches a client is whole characters, all of them, and nothing from a stop sequence on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_model.text_stream import TextStream


def run(pieces: list[bytes], *, stop: tuple[str, ...] = ()) -> tuple[list[str], TextStream]:
    stream = TextStream(stop=stop)
    deltas = []
    for piece in pieces:
        deltas.append(stream.push(piece))
        if stream.stopped:
            break
    return [*deltas, stream.close()], stream


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.text(), st.lists(st.integers(min_value=0)))
def test_any_cut_gives_the_same_text_and_no_broken_character(text, cuts):
    deltas, _ = run(split(text.encode(), cuts))
    assert "".join(deltas) == text
    assert all("\ufffd" not in delta or "\ufffd" in text for delta in deltas)


@given(
    st.text(alphabet="abé", max_size=30),
    st.lists(st.text(alphabet="abé", min_size=1, max_size=4), min_size=1),
    st.lists(st.integers(0)),
)
def test_text_ends_where_the_first_stop_sequence_begins(text, stops, cuts):
    deltas, stream = run(split(text.encode(), cuts), stop=tuple(stops))
    told = "".join(deltas)
    found = [text.index(stop) for stop in stops if stop in text]
    assert stream.stopped == bool(found)
    assert told == text if not found else text.startswith(told) and not any(stop in told for stop in stops)


def test_pieces_bytewise_stop_at_the_first_sequence():
    deltas, _ = run([bytes([byte]) for byte in b"one END two"], stop=(" END",))
    assert "".join(deltas) == "one"


def test_what_may_become_a_stop_sequence_is_held_back_until_it_does_not():
    stream = TextStream(stop=("###",))
    assert stream.push(b"a##") == "a"
    assert stream.push(b"b") == "##b"


def test_half_a_character_at_the_end_is_left_out():
    deltas, _ = run(["é".encode()[:1]])
    assert "".join(deltas) == ""


@pytest.mark.parametrize("data", [b"\xff", b"a\xc3("])
def test_bytes_that_are_no_text_become_replacement_characters(data):
    deltas, _ = run([data, b"."])
    assert "\ufffd" in "".join(deltas)
