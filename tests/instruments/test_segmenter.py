"""Pieces: they are the text again, none is too long, and a long text takes no more than its length's time."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.instruments.segmenter import UnicodeSegmenter

SEGMENTER = UnicodeSegmenter()


@given(st.text(max_size=400), st.integers(1, 50))
def test_pieces_are_the_text_again(text: str, most: int) -> None:
    pieces = SEGMENTER.pieces(text, most)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= most for piece in pieces)


@pytest.mark.parametrize("unit", ["x", " ", "A sentence of some words. ", "今天天气很好。", "line\r\n", "🇩🇪"])
def test_a_long_text_is_cut_piece_by_piece(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    pieces = SEGMENTER.pieces(text, 1_000)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 1_000
    assert len(pieces) <= 2.2 * len(text) / 1_000


def test_a_piece_ends_with_its_paragraph_or_sentence() -> None:
    paragraph = "One sentence. Another sentence.\n\n"
    assert SEGMENTER.pieces(paragraph * 900, 40) == [paragraph] * 900
    assert [piece.strip() for piece in SEGMENTER.pieces("One sentence. Another sentence.", 20)] == [
        "One sentence.",
        "Another sentence.",
    ]


def test_its_package_is_imported_when_it_is_first_needed() -> None:
    code = (
        "import sys; from llm_gateway.instruments.segmenter import UnicodeSegmenter; s = UnicodeSegmenter();"
        "assert 'semantic_text_splitter' not in sys.modules; s.pieces('a', 1); assert 'semantic_text_splitter' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=60)
