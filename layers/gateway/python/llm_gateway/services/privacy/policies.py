"""Policies: what keys and prompts ask to be done with personal data, done once on the way in and once on the way out.

Whatever is planned, asked, repaired, cached and stored comes from a request that went through `cover`. A detector that cannot run
lets nothing through.
"""

import json
import logging
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ParamSpec, TypeVar

from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.erasures import subject_of
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.privacy import Privacy
from llm_gateway.domain.queries import Query, QueryProblem, QueryRequest
from llm_gateway.domain.redaction import redacted
from llm_gateway.domain.sealing import NotSealedSo, Shredded
from llm_gateway.errors import DependencyUnavailable, GatewayError
from llm_gateway.ports.privacy import Detector
from llm_gateway.ports.queries import Journal
from llm_gateway.ports.sealing import Seal
from llm_gateway.services.privacy.ends import NO_VALUES, Values, read, read_problem, shown, shown_answer, texts_of
from llm_gateway.services.privacy.findings import BLOCKED, NOT_MASKABLE, Findings, Unread
from llm_gateway.services.privacy.placeholders import Mask, Repeats, found_in, placeholders_in
from llm_gateway.services.privacy.words import Reading

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


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
        mask = self._mask(texts_of(end))
        masked = read(end, Reading(change=_sure(mask.text), fixed=_sure(mask.text), named=_sure(mask.text)))
        if masked.answer is None or not mask.values:
            return masked
        return replace(masked, answer=replace(masked.answer, sealed=self._sealed(mask.values, end)))

    def _redacted(self, end: Query) -> Query:
        known = dict[str, str]()
        redact = partial(self.redact, known=known)
        reading = Reading(change=redact, fixed=redact, named=redact, data=lambda _data, _field: "")
        end = read(replace(end, request=reading.request(end.request)), reading)
        if not known:
            return end

        repeats = Repeats(known)

        def again(text: str, _field: str) -> str:
            return repeats.replaced(text)

        reading = Reading(change=again, fixed=again)
        return read(replace(end, request=reading.request(end.request)), reading)

    def revealed(self, query: Query) -> Query:
        """A stored query as its owner reads it: with the values in the place of their placeholders, where they are kept and the
        key's secrets are not erased."""
        privacy = query.request.privacy
        if privacy is None or not privacy.is_masked or privacy.is_redacted:
            return query
        asked, own = (
            self._opened(sealed, key_id=query.owner, query_id=query.id)
            for sealed in (privacy.sealed, query.answer.sealed if query.answer else None)
        )
        return shown(query, {**asked, **own}, own=own)

    def of_cache(self, cached: CachedAnswer, *, owner: str) -> CachedAnswer:
        """An answer from before with what the model wrote of its own: it is masked anew for the query that gets it."""
        values = self._opened(cached.answer.sealed, key_id=owner, query_id=cached.query_id)
        answer = replace(
            shown_answer(cached.answer, values, own=values, is_json=cached.answer.output.json is not None), sealed=None
        )
        return replace(cached, answer=answer)

    def _let_none_through(self, request: QueryRequest, counts: Counter[str]) -> QueryRequest:
        findings, unread = Findings(self._kinds, counts), Unread()
        Reading(change=findings.note, fixed=findings.note, named=findings.note, data=unread.note).request(request)
        findings.check(BLOCKED)
        return unread.told_in(request)

    def _masked(self, request: QueryRequest, counts: Counter[str]) -> Covered:
        findings = Findings(self._kinds, counts)
        texts = list[str]()

        def collect(text: str, _field: str) -> str:
            texts.append(text)
            return text

        unread = Unread()
        Reading(change=collect, fixed=findings.note, data=unread.note).request(request)
        findings.check(NOT_MASKABLE)
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
            findings = Findings(self._kinds, counts)
            findings.note(text, field)
            if PiiRule.BLOCK in ordered:
                findings.check(BLOCKED)
            return self.redact(text, field) if {PiiRule.LOG, PiiRule.MASK}.intersection(ordered) else text
        finally:
            if counts:
                self.journal.personal_data(counts, key_id=key_id, rules=ordered)

    def kept_problem(self, problem: QueryProblem, query: Query) -> QueryProblem:
        """What is stored of why a query that is to be tried again was not answered: a provider may have quoted its words."""
        privacy = query.request.privacy
        if privacy is None or not (privacy.is_redacted or privacy.is_masked):
            return problem
        return read_problem(problem, self.redact)

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
        except Shredded:
            return NO_VALUES
        except NotSealedSo:
            # Placeholders are all that can be told; it is no erasure, and somebody has to see to it.
            _log.error("The values of query %s do not open: they were changed, or are another's.", query_id)
            return NO_VALUES
        return opened


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
