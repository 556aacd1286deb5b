"""Bodies as they come: the data of events, whatever surrounds it and however it is cut, or one document."""

import json

from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.providers.sse import Document, events

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


def test_lines_of_one_event_are_joined() -> None:
    assert list(events([b"data: {\ndata: }\n\n"])) == ["{\n}"]


def test_nothing_holds_nothing() -> None:
    assert list(events([])) == list(events([b"", b"  \n"])) == []
