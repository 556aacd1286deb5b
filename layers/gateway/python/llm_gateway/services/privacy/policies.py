"""Policies: what keys and prompts ask to be done with personal data, done once on the way in and once on the way out.

Whatever is planned, asked, repaired, cached and stored comes from a request that went through `cover`. A detector that cannot run
lets nothing through.
"""

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, ParamSpec, TypeVar

from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.erasures import subject_of
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.privacy import Privacy
from llm_gateway.domain.queries import Attempt, Query, QueryAnswer, QueryProblem, QueryRequest
from llm_gateway.domain.redaction import redacted
from llm_gateway.domain.sealing import NotSealedSo, Shredded
from llm_gateway.errors import DependencyUnavailable, FieldError, GatewayError, PiiBlocked
from llm_gateway.ports.privacy import Detector
from llm_gateway.ports.queries import Journal
from llm_gateway.ports.sealing import Seal
from llm_gateway.services.privacy.placeholders import Mask, Repeats, found_in, placeholders_in, restored
from llm_gateway.services.privacy.words import Change, Reading

P = ParamSpec("P")
T = TypeVar("T")

Values = Mapping[str, str]
"""The values behind placeholders."""
NO_VALUES: Final[Values] = {}

_MOST_TOLD: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """A request as it may be asked, and the values that were taken out of it."""

    request: QueryRequest
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Every method raises `DependencyUnavailable` where the detector or the seal cannot do its work."""

    detector: Detector
    seal: Callable[[], Seal]
    journal: Journal

    def cover(self, request: QueryRequest, rules: Iterable[PiiRule], *, key_id: str) -> Covered:
        """`request` under the `rules`. Raises `PiiBlocked` where it holds what may not pass, or what cannot be masked."""
        ordered = tuple(sorted(set(rules)))
        subject = subject_of(request.metadata) if request.metadata else None
        marked = replace(request, privacy=Privacy(rules=ordered, subject=subject))
        counts = Counter[str]()
        try:
            if PiiRule.BLOCK in ordered:
                marked = self._let_none_through(marked, counts)
            if PiiRule.MASK in ordered:
                return self._masked(marked, counts)
            return Covered(request=marked)
        finally:
            if counts:
                self.journal.personal_data(counts, key_id=key_id, rules=ordered)

    def cover_texts(
        self, texts: tuple[str, ...], rules: Iterable[PiiRule], *, key_id: str, field: str
    ) -> tuple[str, ...]:
        """Texts that are asked for their vectors, under the `rules`. Raises as `cover` does."""
        ordered = tuple(sorted(set(rules)))
        counts = Counter[str]()
        try:
            if PiiRule.BLOCK in ordered:
                findings = _Findings(self._kinds, counts)
                for place, text in enumerate(texts):
                    findings.note(text, f"{field}[{place}]")
                findings.check(_BLOCKED)
            if PiiRule.MASK not in ordered:
                return texts
            mask = self._mask(texts)
            masked = tuple(mask.again(text) for text in [_sure(mask.text)(text, field) for text in texts])
            counts.update(mask.counts)
            return masked
        finally:
            if counts:
                self.journal.personal_data(counts, key_id=key_id, rules=ordered)

    def with_sealed_values(self, query: Query, values: Values) -> Query:
        """`query` with the values that its owner alone may read; none are kept of one that is redacted at its end."""
        privacy = query.request.privacy
        if privacy is None or not values or privacy.is_redacted:
            return query
        sealed = self._sealed(values, query)
        return replace(query, request=replace(query.request, privacy=replace(privacy, sealed=sealed)))

    def kept(self, end: Query) -> Query:
        """What is stored of an end, cached and told the journal: redacted under `log`, and under `mask` with placeholders for
        what the model wrote of its own, too."""
        privacy = end.request.privacy
        if privacy is None or not (privacy.is_redacted or privacy.is_masked):
            return end
        if privacy.is_redacted:
            return self._redacted(replace(end, request=replace(end.request, privacy=replace(privacy, sealed=None))))
        mask = self._mask(_texts_of(end))
        masked = _read(end, Reading(change=_sure(mask.text), fixed=_sure(mask.text), named=_sure(mask.text)))
        if masked.answer is None or not mask.values:
            return masked
        return replace(masked, answer=replace(masked.answer, sealed=self._sealed(mask.values, end)))

    def _redacted(self, end: Query) -> Query:
        known = dict[str, str]()
        redact = partial(self.redact, known=known)
        reading = Reading(change=redact, fixed=redact, named=redact, data=lambda _data, _field: "")
        end = _read(replace(end, request=reading.request(end.request)), reading)
        if not known:
            return end

        repeats = Repeats(known)

        def again(text: str, _field: str) -> str:
            return repeats.replaced(text)

        reading = Reading(change=again, fixed=again)
        return _read(replace(end, request=reading.request(end.request)), reading)

    def revealed(self, query: Query) -> Query:
        """A stored query as its owner reads it: with the values in the place of their placeholders, where they are kept and the
        key's secrets are not erased."""
        privacy = query.request.privacy
        if privacy is None or not privacy.is_masked or privacy.is_redacted:
            return query
        own = query.answer.sealed if query.answer else None
        values: Values = {}
        for sealed in (privacy.sealed, own):
            values = {**values, **self._opened(sealed, key_id=query.owner, query_id=query.id)}
        return shown(query, values)

    def of_cache(self, cached: CachedAnswer, *, owner: str) -> CachedAnswer:
        """An answer from before with what the model wrote of its own: it is masked anew for the query that gets it."""
        values = self._opened(cached.answer.sealed, key_id=owner, query_id=cached.query_id)
        answer = replace(
            _shown_answer(cached.answer, values, is_json=cached.answer.output.json is not None), sealed=None
        )
        return replace(cached, answer=answer)

    def _let_none_through(self, request: QueryRequest, counts: Counter[str]) -> QueryRequest:
        findings, unread = _Findings(self._kinds, counts), _Unread()
        Reading(change=findings.note, fixed=findings.note, named=findings.note, data=unread.note).request(request)
        findings.check(_BLOCKED)
        return unread.told_in(request)

    def _masked(self, request: QueryRequest, counts: Counter[str]) -> Covered:
        findings = _Findings(self._kinds, counts)
        texts = list[str]()

        def collect(text: str, _field: str) -> str:
            texts.append(text)
            return text

        unread = _Unread()
        Reading(change=collect, fixed=findings.note, data=unread.note).request(request)
        findings.check(_NOT_MASKABLE)
        mask = self._mask(texts)
        masked = Reading(change=_sure(mask.text), named=_sure(mask.text)).request(request)
        if mask.values:
            masked = Reading(change=mask.again).request(masked)
        counts.update(mask.counts)
        return Covered(request=unread.told_in(masked), values=mask.values)

    def _mask(self, texts: Iterable[str]) -> Mask:
        taken = set[str]()
        for text in texts:
            taken |= placeholders_in(text)
        return Mask(self.detector, taken=taken)

    def kept_text(self, text: str, rules: Iterable[PiiRule], *, key_id: str, field: str) -> str:
        """A text that no model reads, as it may be kept under the `rules`: nobody puts values back into it. Raises as `cover`."""
        ordered = tuple(sorted(set(rules)))
        counts = Counter[str]()
        try:
            findings = _Findings(self._kinds, counts)
            findings.note(text, field)
            if PiiRule.BLOCK in ordered:
                findings.check(_BLOCKED)
            return self.redact(text, field) if {PiiRule.LOG, PiiRule.MASK}.intersection(ordered) else text
        finally:
            if counts:
                self.journal.personal_data(counts, key_id=key_id, rules=ordered)

    def kept_problem(self, problem: QueryProblem, query: Query) -> QueryProblem:
        """What is stored of why a query that is to be tried again was not answered: a provider may have quoted its words."""
        privacy = query.request.privacy
        if privacy is None or not (privacy.is_redacted or privacy.is_masked):
            return problem
        return _problem(problem, self.redact)

    def _kinds(self, text: str, _field: str, name: str = "") -> list[str]:
        return _sure(lambda: [found.kind for found in found_in(self.detector, text, name)])()

    def redact(self, text: str, _field: str, name: str = "", *, known: dict[str, str] | None = None) -> str:
        """Of what is personal the kind is left, of a credential nothing. A JSON member's `name` may tell of either.

        What was found becomes `known`, with what is left of it.
        """

        def without() -> str:
            parts, copied = [], 0
            for found in found_in(self.detector, text, name):
                parts += [text[copied : found.start], f"[{found.kind}]"]
                if known is not None:
                    known.setdefault(text[found.start : found.end], f"[{found.kind}]")
                copied = found.end
            return _without_credentials("".join([*parts, text[copied:]]), name)

        return _sure(without)()

    def _sealed(self, values: Values, query: Query) -> str:
        plain = json.dumps(dict(values)).encode()
        return b64encode(self.seal().seal(plain, key_id=query.owner, query_id=query.id)).decode()

    def _opened(self, sealed: str | None, *, key_id: str, query_id: str) -> Values:
        if sealed is None:
            return NO_VALUES
        try:
            opened: Values = json.loads(self.seal().open(b64decode(sealed), key_id=key_id, query_id=query_id))
        except (NotSealedSo, Shredded):
            return NO_VALUES
        return opened


class _Findings:
    """Which kinds stand in which fields; not a word of them."""

    def __init__(self, kinds_in: Callable[[str, str, str], list[str]], counts: Counter[str]) -> None:
        self._kinds_in = kinds_in
        self._counts = counts
        self._found = dict[str, set[str]]()

    def note(self, text: str, field: str, name: str = "") -> str:
        kinds = self._kinds_in(text, field, name)
        if kinds:
            self._counts.update(kinds)
            # A member's name may be personal itself.
            place = field.partition(".")[0] if self._kinds_in(field, "", "") else field
            self._found.setdefault(place, set()).update(kinds)
        return text

    def check(self, why: str) -> None:
        """Raises `PiiBlocked` where anything was found."""
        if self._found:
            told = [(where, ", ".join(sorted(kinds))) for where, kinds in [*self._found.items()][:_MOST_TOLD]]
            raise PiiBlocked(
                f"{why}: {'; '.join(f'{where} ({kinds})' for where, kinds in told)}.",
                errors=[FieldError(where, f"holds personal data ({kinds})") for where, kinds in told],
            )


class _Unread:
    """Parts that are no text: nothing is looked for in them, and nothing is masked."""

    def __init__(self) -> None:
        self._fields = list[str]()

    def note(self, data: str, field: str) -> str:
        self._fields.append(field)
        return data

    def told_in(self, request: QueryRequest) -> QueryRequest:
        """`request`, the answer to which says so, once."""
        notes = [f"{field} was sent as it is: in what is no text no personal data is found." for field in self._fields]
        return replace(request, notes=tuple(dict.fromkeys((*request.notes, *notes[:_MOST_TOLD]))))


_BLOCKED: Final = "The request holds personal data, and the key or the prompt lets none pass"
_NOT_MASKABLE: Final = "The request holds personal data where no placeholder can stand"


def shown(query: Query, values: Values) -> Query:
    """`query` with the `values` in the place of their placeholders: in the answer, and in what it repeats of the request."""
    if not values:
        return query
    reading = _restoring(values)
    request = replace(query.request, metadata=reading.json(query.request.metadata, "metadata"))
    answer = query.answer
    if answer is not None:
        answer = _shown_answer(answer, values, is_json=query.request.output.type != "text")
    return replace(query, request=request, answer=answer)


def _shown_answer(answer: QueryAnswer, values: Values, *, is_json: bool) -> QueryAnswer:
    reading = _restoring(values)
    return replace(
        answer,
        output=reading.output(answer.output, is_json=is_json),
        context=None if answer.context is None else reading.report(answer.context),
    )


def _restoring(values: Values) -> Reading:
    return Reading(
        change=lambda text, _: restored(text, values), in_json=lambda text, _: restored(text, values, in_json=True)
    )


def _read(end: Query, reading: Reading) -> Query:
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
    return replace(end, answer=answer, problem=None if problem is None else _problem(problem, reading.change))


def _problem(problem: QueryProblem, change: Change) -> QueryProblem:
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


def _texts_of(end: Query) -> list[str]:
    """Every text of a query, to see which placeholders are there already."""
    texts = list[str]()

    def collect(text: str, _field: str) -> str:
        texts.append(text)
        return text

    reading = Reading(change=collect, fixed=collect, in_json=collect)
    reading.request(end.request)
    _read(end, reading)
    return texts


def _without_credentials(text: str, name: str) -> str:
    lead = f"{name}: " if name else ""
    told = redacted(lead + text)
    # What is redacted in the name itself is another text's.
    return told.removeprefix(lead) if told.startswith(lead) else redacted(text)


def _sure(change: Callable[P, T]) -> Callable[P, T]:
    """`change`, whose failure lets nothing through."""

    def done(*args: P.args, **named: P.kwargs) -> T:
        try:
            return change(*args, **named)
        except GatewayError:
            raise
        except Exception as error:
            # The type alone: a message may quote the text.
            detail = f"Personal data cannot be looked for right now ({type(error).__name__}): nothing was let through."
            raise DependencyUnavailable(detail, retry_after_s=1) from None

    return done
