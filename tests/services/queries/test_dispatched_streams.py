"""Streams: falling over before the first piece, and leaving."""

import gc

from llm_gateway.domain.chat import ChatAnswer, OutputFormat, TextDelta
from llm_gateway.domain.faults import ProviderFailed, ProviderUnreachable, ResponseValidationFailed
from llm_gateway.errors import GatewayError
from llm_gateway.services.queries.progress import Progress

from tests.adapters.engine import Engine, question, settle
from tests.adapters.scripted_providers import USAGE, Raises, Says
from tests.services.queries.dispatching import outcomes

JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"]})


def streamed(engine: Engine, progress: Progress, **asked) -> tuple[list[str], ChatAnswer | None, GatewayError | None]:
    """The pieces that came, and how it ended."""
    pieces: list[str] = []
    try:
        for item in engine.stream(question(**asked), progress):
            if isinstance(item, ChatAnswer):
                settle(progress)
                return pieces, item, None
            assert isinstance(item, TextDelta)
            pieces.append(item.text)
    except GatewayError as error:
        return pieces, None, error
    raise AssertionError("a stream ended without its answer")


def test_a_stream_falls_over_before_its_first_piece(two: Engine) -> None:
    progress = two.progress(question())
    two.providers.script("a", Raises(fault=lambda: ProviderFailed("No.")))

    pieces, _answered, _ = streamed(two, progress)

    assert pieces == ["Hello", "there."]
    assert progress.answering.provider.id == "b"
    assert outcomes(progress) == ["a error provider_error", "b ok"]
    assert two.gates.all_ended_once


def test_a_stream_does_not_fall_over_after_its_first_piece(two: Engine) -> None:
    progress = two.progress(question())
    two.providers.script("a", Raises(fault=lambda: ProviderUnreachable("Gone.", usage=USAGE), words=("Hel",)))

    pieces, answered, error = streamed(two, progress)

    assert (pieces, answered, type(error)) == (["Hel"], None, ProviderUnreachable)
    assert error.provider == "a"
    assert two.providers.order == ["a"]
    assert two.gates.all_ended_once


def test_a_streamed_form_is_not_mended(two: Engine) -> None:
    progress = two.progress(question())
    two.providers.script("a", Says(text='{"nome": "Ada"}'))

    pieces, _, error = streamed(two, progress, output=JSON)

    assert "".join(pieces) == '{"nome":"Ada"}'
    assert type(error) is ResponseValidationFailed
    assert two.providers.order == ["a"]


def test_closing_a_stream_ends_the_providers_work_at_once(two: Engine) -> None:
    progress = two.progress(question())
    items = two.stream(question(), progress)
    next(items)
    # Not by the garbage collector, which comes when it likes.
    gc.disable()
    try:
        held = items.gi_frame.f_locals, items.gi_yieldfrom
        items.close()
        assert two.providers.left == ["a"]
    finally:
        gc.enable()

    del held
    assert outcomes(progress) == ["a cancelled"]
    assert progress.attempts[0].cost_usd > 0
    assert two.providers.order == ["a"]
    assert two.gates.all_ended_once


def test_closing_a_stream_that_was_never_read_calls_nobody(two: Engine) -> None:
    two.stream(question(), two.progress(question())).close()

    assert two.gates.admitted == []
