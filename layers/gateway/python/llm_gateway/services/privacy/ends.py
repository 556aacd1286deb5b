"""Ends: every word of a query that has ended, shown with its values, or replaced by what may be kept of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from llm_gateway.domain.queries import Attempt, Query, QueryAnswer, QueryProblem
from llm_gateway.services.privacy.placeholders import restored
from llm_gateway.services.privacy.words import Change, Reading

Values = Mapping[str, str]
"""The values behind placeholders."""


NO_VALUES: Final[Values] = {}


def shown(query: Query, values: Values, *, own: Values = NO_VALUES) -> Query:
    """`query` with the `values` in the place of their placeholders: in the answer, and in what it repeats of the request.

    `own` are those among them that the model wrote of its own. They alone stand in what goes back to a vendor as it came, in a
    thought or in a call's id: a placeholder that the vendor was sent is what it signed.
    """
    if not values:
        return query
    reading = _restoring(values, own)
    request = replace(query.request, metadata=reading.json(query.request.metadata, "metadata"))
    answer = query.answer
    if answer is not None:
        answer = shown_answer(answer, values, own=own, is_json=query.request.output.type != "text")
    return replace(query, request=request, answer=answer)


def shown_answer(answer: QueryAnswer, values: Values, *, own: Values, is_json: bool) -> QueryAnswer:
    reading = _restoring(values, own)
    return replace(
        answer,
        output=reading.output(answer.output, is_json=is_json),
        context=None if answer.context is None else reading.report(answer.context),
    )


def _restoring(values: Values, own: Values) -> Reading:
    return Reading(
        change=lambda text, _: restored(text, values),
        fixed=lambda text, _: restored(text, own),
        in_json=lambda text, _: restored(text, values, in_json=True),
    )


def read(end: Query, reading: Reading) -> Query:
    """`end` with what became of the words of its answer and of what providers said of it."""
    answer, problem = end.answer, end.problem
    if answer is not None:
        output = reading.output(answer.output, is_json=end.request.output.type != "text")
        if output.text != answer.output.text:
            # They have the words piece by piece, in which nothing is found.
            output = replace(output, logprobs=None)
        answer = replace(
            answer,
            output=output,
            context=None if answer.context is None else reading.report(answer.context),
            attempts=_told(answer.attempts, reading.change),
        )
        if answer.model not in {attempt.model for attempt in answer.attempts}:
            # As the provider calls it, and not the provider's owner.
            model = reading.change(answer.model, "model")
            answer = replace(answer, model=model)
            end = replace(end, figures=end.figures and replace(end.figures, model=model))
    return replace(end, answer=answer, problem=None if problem is None else read_problem(problem, reading.change))


def read_problem(problem: QueryProblem, change: Change) -> QueryProblem:
    message = problem.provider_message
    return replace(
        problem,
        detail=change(problem.detail, "detail"),
        provider_message=None if message is None else change(message, "provider_message"),
        attempts=_told(problem.attempts, change),
    )


def _told(attempts: tuple[Attempt, ...], change: Change) -> tuple[Attempt, ...]:
    return tuple(
        replace(
            attempt,
            detail=None if attempt.detail is None else change(attempt.detail, "attempts.detail"),
            cause=None if attempt.cause is None else change(attempt.cause, "attempts.cause"),
        )
        for attempt in attempts
    )


def texts_of(end: Query) -> list[str]:
    """Every text of a query, to see which placeholders are there already."""
    texts = list[str]()

    def collect(text: str, _field: str) -> str:
        texts.append(text)
        return text

    reading = Reading(change=collect, fixed=collect, in_json=collect)
    reading.request(end.request)
    read(end, reading)
    return texts
