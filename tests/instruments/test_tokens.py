"""Token counts: as tiktoken counts, from files on disk alone, and by bytes where there are none."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.tokens import by_bytes
from llm_gateway.instruments.tokens import RANK_FILES, TiktokenCounter

ANY_TEXT = st.text(st.characters(codec=None) | st.characters(categories=["Cs"]))


@pytest.fixture(scope="module")
def counter():
    from layers.tokenizers.build import build

    return TiktokenCounter(build() / "tiktoken")


@pytest.fixture(autouse=True)
def untouched_environment(monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", os.environ.get("TIKTOKEN_CACHE_DIR", ""))


@pytest.mark.parametrize(
    ("encoding", "text", "tokens"),
    [
        ("o200k_base", "hello world", 2),
        ("cl100k_base", "hello world", 2),
        ("o200k_base", "tiktoken is great!", 6),
        ("o200k_base", "", 0),
        ("o200k_base", "<|endoftext|>", 7),
    ],
)
def test_known_counts(counter, encoding, text, tokens):
    found = counter.count(text, encoding)
    assert (found.least, found.most) == (tokens, tokens)


@given(text=ANY_TEXT, encoding=st.sampled_from(sorted(RANK_FILES)))
def test_never_more_tokens_than_bytes(counter, text, encoding):
    assert counter.count(text, encoding).most <= len(text.encode("utf-8", "surrogatepass"))


def test_four_megabytes_without_a_blank_are_counted_in_seconds(counter):
    tokens = counter.count("a" * 4_000_000, "o200k_base")
    assert tokens.most == 500_000


PROSE = (
    "The gateway answers with the provider's own words; it counts what they cost, and writes the sum down. "
    "Those who ask again within the hour are answered from the cache, at no cost and without a call."
)
CODE = 'def count(text: str) -> int:\n    return sum(len(piece) for piece in text.split("\\n"))  # 3 of 17\n'


@pytest.mark.parametrize(
    "text", [PROSE, CODE, "漢字文化は長い歴史を持つ。" * 9, "0123456789 " * 20, "Größe, Übermaß und Fußweg " * 9]
)
def test_an_estimate_by_bytes_holds_the_count(counter, text):
    estimated, counted = by_bytes(text), counter.count(text, "o200k_base").most
    assert estimated.least <= counted <= estimated.most


def test_without_rank_files_bytes_are_counted_and_it_is_said_once(tmp_path, caplog):
    bare = TiktokenCounter(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert [bare.count(PROSE, "o200k_base") for _ in range(3)] == [by_bytes(PROSE)] * 3
    assert len(caplog.records) == 1
    assert "o200k_base" in caplog.text


def test_a_wrong_rank_file_is_neither_used_nor_replaced(tmp_path):
    name, _ = RANK_FILES["o200k_base"]
    (tmp_path / name).write_bytes(b"aGVsbG8= 0\n")
    assert TiktokenCounter(tmp_path).count(PROSE, "o200k_base") == by_bytes(PROSE)
    assert (tmp_path / name).read_bytes() == b"aGVsbG8= 0\n"


def test_the_rank_files_are_those_of_the_installed_tiktoken():
    from layers.tokenizers.build import wanted_files

    assert {sha256: name for name, sha256 in RANK_FILES.values()} == wanted_files()


def test_no_network_is_asked_and_nothing_loads_before_the_first_count(counter):
    rank_files = counter._rank_files  # the built layer's directory
    program = f"""
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from pathlib import Path
from llm_gateway.instruments.tokens import TiktokenCounter
assert "tiktoken" not in sys.modules
full, bare = TiktokenCounter(Path({str(rank_files)!r})), TiktokenCounter(Path("/nowhere"))
assert bare.count("hello world", "o200k_base").most == 4
assert "tiktoken" not in sys.modules
assert full.count("hello world", "o200k_base").most == 2
"""
    environment = {"PYTHONPATH": ":".join(sys.path), "HOME": str(Path.home())}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=60)
