"""Bodies as they come: the data of events, whatever surrounds it and however it is cut, or one document."""

import json
import re
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.providers.sse import Document, _data, events

DATA = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text.strip() != "" and not text.startswith(" ")
)
NOISE = st.sampled_from(
    [": ping\n", "retry: 10\n", "event: x\n", "id: 7\n", "data:\n\n", "nonsense\n", "\n", "data\n\n"]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(st.lists(st.tuples(NOISE, DATA)), ENDS, st.integers(1, 40), st.booleans(), st.booleans())
def test_the_data_of_each_event(noisy: list[tuple[str, str]], end: str, size: int, mark: bool, ended: bool) -> None:
    text = "".join(f"{noise}data: {data}\n\n" for noise, data in noisy)
    body = ("\ufeff" if mark else "") + (text if ended else text.rstrip("\n"))

    found = list(events(cut(body.replace("\n", end).encode(), size)))

    assert found == [data for _, data in noisy]


@given(
    st.dictionaries(st.text(max_size=3), st.text(max_size=3)), st.integers(1, 9), st.sampled_from(["", "\n ", "\ufeff"])
)
def test_one_document(value: dict[str, str], size: int, before: str) -> None:
    (found,) = events(cut((before + json.dumps(value)).encode(), size))

    assert isinstance(found, Document)
    assert json.loads(found.data) == value


@given(st.binary())
def test_whatever_it_is_it_has_an_end(body: bytes) -> None:
    assert all(isinstance(event, Document) or event.strip() for event in events([body]))


PIECES = st.sampled_from(
    [
        b"data: a\n\n",
        b"data:b\n\n",
        b"data",
        b":",
        b" ",
        b"x",
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b"event: e\n",
        b": c\n\n",
        b"\xe2",
        b"\x82\xac",
        b"\xff",
        b"\xe2\x80\xa8",
        b"\x85",
        b"data: \xf0\x9f\n\n",
        b"data: d\ndata: e\n\n",
        b"data\n\n",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=8))
@settings(max_examples=500)
def test_whole_events_are_read_as_they_are_wherever_they_are_cut(chunks: list[bytes]) -> None:
    """Byte by byte, no chunk is one of whole events, but for a blank line of its own."""
    whole = b"".join(chunks)
    assert list(_data(chunks)) == list(_data(cut(whole, 1))) == list(_plainly(whole))


def _plainly(body: bytes) -> Iterator[str]:
    """The data of the events of a whole body, word for word as the form is described."""
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    for event in re.split("\n{2,}", text):
        lines = [line.partition(":") for line in event.split("\n")]
        data = "\n".join(value.removeprefix(" ") for field, _, value in lines if field == "data")
        if data.strip():
            yield data


def test_lines_of_one_event_are_joined() -> None:
    assert list(events([b"data: {\ndata: }\n\n"])) == ["{\n}"]


def test_nothing_holds_nothing() -> None:
    assert list(events([])) == list(events([b"", b"  \n"])) == []
