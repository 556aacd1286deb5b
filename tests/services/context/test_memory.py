"""What is kept in memory: what was used last, as much as is allowed, and nothing that failed."""

import pytest
from llm_gateway.domain.tokens import TokenRange
from llm_gateway.services.context import counting
from llm_gateway.services.context.counting import KeptCounts
from llm_gateway.services.context.memory import Memory, digest_of

from tests.adapters.contexts import Counting


def recall(memory: Memory, key: bytes, made: list[bytes]) -> bytes:
    def make() -> bytes:
        made.append(key)
        return key * 2

    return memory.recall(key, make, weight=len)


def test_what_is_kept_is_not_made_again() -> None:
    memory, made = Memory(), list[bytes]()
    assert recall(memory, b"a", made) == recall(memory, b"a", made) == b"aa"
    assert made == [b"a"]


def test_what_was_used_longest_ago_is_forgotten() -> None:
    memory, made = Memory(most=4), list[bytes]()
    for key in (b"a", b"b", b"a", b"c", b"a", b"b"):
        recall(memory, key, made)
    assert made == [b"a", b"b", b"c", b"b"]
    assert memory.weight == 4


def test_what_is_larger_than_all_that_may_be_kept_is_not_kept() -> None:
    memory = Memory(most=1)
    assert recall(memory, b"a", []) == b"aa"
    assert memory.weight == 0


def test_a_failure_is_not_kept() -> None:
    memory = Memory()

    def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        memory.recall(b"a", fail, weight=len)
    assert memory.recall(b"a", lambda: "yes", weight=len) == "yes"


def test_a_digest_tells_parts_apart() -> None:
    different = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", None), ("abc", "None"), ("abc", 1), ("abc", "1"), ()]
    assert len({digest_of(parts) for parts in different}) == len(different)
    assert digest_of(("\ud800",)) == digest_of(("\ud800",))


def test_a_long_text_is_counted_once() -> None:
    counting_texts = Counting(lambda text, _: TokenRange(least=len(text), most=len(text)))
    counts = KeptCounts(counting_texts)
    long = "word " * 100
    for _ in range(3):
        assert counts.count(long, "o200k_base").most == len(long)
        assert counts.count("short", "o200k_base").most == 5
    assert counting_texts.texts == [long, "short", "short", "short"]
    counts.count(long, "cl100k_base")
    assert counting_texts.texts.count(long) == 2


def test_counts_are_forgotten_beyond_their_bound() -> None:
    counting_texts = Counting(lambda _, __: TokenRange(least=1, most=1))
    counts = KeptCounts(counting_texts)
    texts = [f"{number:>300}" for number in range(counting.MOST_KEPT + 1)]
    for text in texts:
        counts.count(text, "o200k_base")
    counts.count(texts[-1], "o200k_base")
    assert len(counting_texts.texts) == len(texts)
    counts.count(texts[0], "o200k_base")
    assert len(counting_texts.texts) == len(texts) + 1
