"""Every format: it has a source and a sample, and nothing of a sample stays, whatever it is written in."""

import json
from urllib.parse import quote

import pytest
from llm_gateway.domain.redaction import LEAST_RANDOM, NEAR, REDACTED, redacted
from llm_gateway.domain.secret_formats import DETECT_SECRETS, FORMATS, GITHUB, GITLEAKS, OWN, TRUFFLEHOG, VENDORS

from tests.domain.secret_samples import SPECS, drawn, sample

LEAST_FORMATS = 88
PIECE = 12
"""So much of a credential must be nowhere: a shorter piece may be in other words, too."""


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in text)


def percent(text: str) -> str:
    return "".join(f"%{ord(each):02X}" for each in text)


WAYS = {
    "in a sentence": lambda text: f"It was {text}, he said.",
    "on a line of its own": lambda text: f"a\n{text}\nb",
    "in a name": lambda text: f"VALUE={text} next",
    "in JSON": lambda text: json.dumps({"note": f"a\n{text}\nb"}),
    "in JSON inside JSON": lambda text: json.dumps(json.dumps({"note": [text]})),
    "in an address": lambda text: f"https://example.com/?note={quote(text, safe='')}&n=1",
    "in an address inside an address": lambda text: (
        f"?next={quote('https://e.com/?n=' + quote(text, safe=''), safe='')}"
    ),
    "in escapes alone": lambda text: f'{{"note": "{escaped(text)}"}}',
    "in percents alone": lambda text: f"?note={percent(text)}&n=1",
    "in percents twice": lambda text: f"?note={quote(percent(text))}&n=1",
}
READ = {
    "in an address": lambda text: quote(text, safe=""),
    "in an address inside an address": lambda text: quote(quote(text, safe=""), safe=""),
    "in escapes alone": escaped,
    "in percents alone": percent,
    "in percents twice": lambda text: quote(percent(text)),
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON inside JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
}


def test_there_are_enough_each_with_a_source_of_its_own_and_a_sample() -> None:
    names = [each.whose for each in FORMATS]
    assert len(names) == len(set(names)) >= LEAST_FORMATS
    assert set(SPECS) == set(names)
    assert {each.source for each in FORMATS} == {OWN, GITLEAKS, DETECT_SECRETS, TRUFFLEHOG, GITHUB}


@pytest.mark.parametrize("whose", SPECS)
@pytest.mark.holds("LLM02", "STRIDE-I")
def test_nothing_of_a_sample_stays(whose: str) -> None:
    for seed, way in enumerate(WAYS):
        secret = sample(whose, seed=seed)
        written = READ.get(way, str)(secret)
        text = WAYS[way](secret)
        assert written in text
        shown = redacted(text)
        assert REDACTED in shown
        left = [written[at : at + PIECE] for at in range(len(written) - PIECE + 1) if written[at : at + PIECE] in shown]
        assert not left, (text, shown)


@pytest.mark.parametrize("whose", SPECS)
def test_what_stands_around_a_sample_stays(whose: str) -> None:
    assert redacted(f"It was {sample(whose)}, he said.") == f"It was {REDACTED}, he said."


def test_a_vendors_credential_without_a_shape_goes_by_its_name() -> None:
    for vendor in [name for name in VENDORS if name.isalnum()]:
        secret = drawn("{l32}", vendor)
        for text in (
            f"{vendor.upper()}_ID={secret}",
            f'"{vendor}": "{secret}"',
            f"the {vendor} one is {secret}.",
            json.dumps({vendor: f"it\n{secret}"}),
        ):
            assert secret not in redacted(text), text


@pytest.mark.parametrize("word", ["key", "token", "secret", "Credentials", "PASSWORD", "auth", "session cookie"])
def test_what_looks_random_goes_near_a_word_that_tells_of_it(word: str) -> None:
    secret = drawn("{a24}", word)
    assert redacted(f"Use this {word} for all of it: {secret}!") == f"Use this {word} for all of it: {REDACTED}!"
    assert redacted(f"Use this for all of it: {secret}!") == f"Use this for all of it: {secret}!"
    far = "so " * NEAR
    assert redacted(f"A {word} {far}{secret}") == f"A {word} {far}{secret}"


@pytest.mark.parametrize(
    "text",
    [
        "The token limit of gpt-4.1-mini-2025-04-14 is 1047576, of claude-sonnet-4-5-20250929 200000.",
        "The key qry_01ARZ3NDEKTSV4RRFFQ69G5FAV and key_01ARZ3NDEKTSV4RRFFQ69G5FAV are ids.",
        "The secret of internationalization is misunderstanding, as is antidisestablishmentarianism.",
        "Put the key under /usr/local/lib/python3.11/site-packages/certifi, then restart the session.",
        "The password rules: twelve characters, one of them a digit, e.g. correct-horse-battery-staple.",
        "An authorization of 2026-11-30T04:44:26Z, signature pending.",
    ],
)
def test_words_stay_near_such_words(text: str) -> None:
    assert redacted(text) == text


def test_a_short_word_is_not_weighed() -> None:
    short = drawn("{a15}", "short")
    assert len(short) < LEAST_RANDOM
    assert redacted(f"the key is {short}") == f"the key is {short}"


def test_an_escape_of_another_text_stays_as_it_was() -> None:
    text = r'{"city": "M\u00fcnchen", "path": "a%2Fb", "quote": "\"\u0041\""}'
    assert redacted(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "key ",
            "key=",
            "keykey",
            "token-",
            "aws ",
            "a1b2c3d4e5f6g7h8 ",
            "a1b2c3d4e5f6g7h8",
            "a1b2c3d4e5f6g7h8-",
            "key a1b2c3d4e5f6g7h8 ",
        ),
        *(
            "%41",
            "%2541",
            "%252541",
            r"\u0041",
            r"\\u0041",
            r"\x41",
            "\\",
            "%",
            "%4",
            r"\u004",
            "%73%6b%2d",
            "dp.pt.",
            "hvs.",
            "t1.a.",
            "a.b.c.",
        ),
        *(
            "[0-9]",
            "1//0",
            "1:A",
            "AKC",
            "EAAA",
            "sl.",
            "SG.aaaaaaaaaaaaaaaa.",
            "ya29.",
            "eyJrIjoi",
            "-----BEGIN A PRIVATE KEY",
            "A3-",
            "0" * 32 + "-",
        ),
    ],
)
@pytest.mark.holds("STRIDE-D")
def test_no_text_takes_for_ever(piece: str) -> None:
    """Were a pattern's time to grow with the square of the text, this would not end within the day."""
    text = (piece * (200_000 // len(piece) + 1))[:200_000]
    assert len(redacted(text)) <= len(text) + len(REDACTED)
