"""Calls: one batch of texts to one provider, let through its gate, timed, priced and noted, and tried again where that helps."""

import logging
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import EmbeddingQuery, EmbeddingRequest, Embeddings
from llm_gateway.domain.faults import CallCancelled, ProviderAuthFailed, ProviderFault, told
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, Timeouts
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.domain.routing import Draw
from llm_gateway.errors import DeadlineExceeded, GatewayError
from llm_gateway.ports.providers import CredentialStore, Prices, ProviderGates, Providers
from llm_gateway.ports.system import Clock
from llm_gateway.services.embeddings.charge import EmbeddingCharge, Made
from llm_gateway.services.embeddings.planning import EmbeddingStep

_SHORTEST_CALL_S: Final = 0.05
_LOOK_EVERY_S: Final = 0.25

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a query for embeddings has met. Batches that run beside each other add to it."""

    charge: EmbeddingCharge
    made: list[Made] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCalls:
    providers: Providers
    credentials: CredentialStore
    gates: ProviderGates
    prices: Prices
    clock: Clock
    draw: Draw

    def embed(
        self, step: EmbeddingStep, texts: tuple[str, ...], tokens: int, asked: EmbeddingQuery, progress: Progress
    ) -> Embeddings:
        """As often as it deserves. Raises the last fault, `BudgetExceeded`, `DeadlineExceeded` and `CallCancelled`."""
        request = EmbeddingRequest(model=step.model.name, texts=texts, dimensions=asked.dimensions, user=asked.user)
        tries = 0
        while True:
            tries += 1
            try:
                return self._with_credentials(step, request, tokens, asked, progress)
            except ProviderFault as fault:
                wait_s = fault.wait_s(tries, self.draw())
                in_time = self.clock.monotonic_s() + wait_s + _SHORTEST_CALL_S < asked.ends_s
                if not fault.retryable or tries >= step.provider.retry.max_attempts or not in_time:
                    raise
            self._wait(wait_s, asked)

    def _with_credentials(
        self, step: EmbeddingStep, request: EmbeddingRequest, tokens: int, asked: EmbeddingQuery, progress: Progress
    ) -> Embeddings:
        """Once more where the credentials have been renewed in the meantime."""
        known = self._credentials(step.provider)
        try:
            return self._call(step, request, tokens, asked, progress, known)
        except ProviderAuthFailed:
            renewed = self._credentials(step.provider, fresh=True)
            if renewed == known:
                raise
            return self._call(step, request, tokens, asked, progress, renewed)

    def _call(
        self,
        step: EmbeddingStep,
        request: EmbeddingRequest,
        tokens: int,
        asked: EmbeddingQuery,
        progress: Progress,
        credentials: ProviderCredentials | None,
    ) -> Embeddings:
        left_s = asked.ends_s - self.clock.monotonic_s()
        if asked.cancelled():
            raise CallCancelled("The query was cancelled before anybody was asked.")
        if left_s < _SHORTEST_CALL_S:
            raise DeadlineExceeded(
                f"The query's time was up before a provider answered (timeout_s: {asked.timeout_s:.4g} s)."
            )
        timeouts = step.provider.timeouts.within(left_s, streams=False)
        price = progress.charge.cover(step, tokens)
        admission = self._admit(step, tokens, progress, timeouts=timeouts, price=price)
        started_s = self.clock.monotonic_s()
        usage, answered, failure = None, None, None
        try:
            provider = self.providers.open(step.provider, credentials)
            started_s = self.clock.monotonic_s()
            found = provider.embed(request, timeouts=timeouts, cancelled=asked.cancelled)
            usage, answered = found.usage, found.model
            return found
        except Exception as error:
            failure = error
            usage = error.usage if isinstance(error, ProviderFault) else None
            raise
        finally:
            latency_ms = round((self.clock.monotonic_s() - started_s) * 1000)
            made = self._made(step, failure, usage, answered, latency_ms=latency_ms, reserved=tokens)
            progress.attempts.append(made.attempt)
            progress.made.append(made)
            progress.charge.replace(price, made)
            self._settle(admission, made.result)

    def _settle(self, admission: Admission, result: CallResult) -> None:
        """What fails in that is no reason to ask again for what is paid."""
        try:
            self.gates.settle(admission, result)
        except Exception as error:
            _log.error("The end of a call for embeddings is not noted: %s.", type(error).__qualname__)

    def _admit(
        self, step: EmbeddingStep, tokens: int, progress: Progress, *, timeouts: Timeouts, price: Decimal
    ) -> Admission:
        """Passes the gate, or gives the `price` back."""
        try:
            return self.gates.admit(step.provider, tokens=tokens, timeout_s=timeouts.longest_s)
        except GatewayError as fault:
            progress.charge.replace(price, None)
            if isinstance(fault, ProviderFault):
                progress.attempts.append(_attempt(step, AttemptOutcome.SKIPPED, fault))
            raise

    def _made(
        self,
        step: EmbeddingStep,
        failure: Exception | None,
        usage: Usage | None,
        answered: str | None,
        *,
        latency_ms: int,
        reserved: int,
    ) -> Made:
        cost_usd = None if usage is None else self._cost_usd(step, usage, answered)
        fault = failure if isinstance(failure, GatewayError) else None
        if failure is not None and fault is None:
            fault = GatewayError("Something unforeseen happened in a call.")
        cancelled = isinstance(failure, CallCancelled)
        outcome = AttemptOutcome.CANCELLED if cancelled else AttemptOutcome.ERROR if fault else AttemptOutcome.OK
        attempt = replace(_attempt(step, outcome, fault), latency_ms=latency_ms, cost_usd=cost_usd)
        result = CallResult(
            latency_ms=latency_ms,
            usage=usage,
            cost_usd=cost_usd,
            fault=None if cancelled else fault,
            cancelled=cancelled,
        )
        return Made(attempt=attempt, result=result, reserved=reserved)

    def _cost_usd(self, step: EmbeddingStep, usage: Usage, answered: str | None) -> Decimal | None:
        """None where nobody knows, or where it cannot be reckoned: a call ends all the same."""
        try:
            return self.prices.cost(
                step.provider.kind,
                step.model,
                answered_model=answered or step.model.name,
                usage=usage,
                at=self.clock.now(),
            )
        except Exception:
            _log.error("What a call for embeddings cost cannot be reckoned.")
            return None

    def _credentials(self, config: ProviderConfig, *, fresh: bool = False) -> ProviderCredentials | None:
        note, secret = config.credentials, config.secret
        return self.credentials.get(secret, changed_at=note.updated_at, fresh=fresh) if note and secret else None

    def _wait(self, duration_s: float, asked: EmbeddingQuery) -> None:
        until_s = self.clock.monotonic_s() + duration_s
        while (left_s := until_s - self.clock.monotonic_s()) > 0:
            if asked.cancelled():
                raise CallCancelled("The query was cancelled before it was tried again.")
            self.clock.sleep(min(left_s, _LOOK_EVERY_S))


def _attempt(step: EmbeddingStep, outcome: AttemptOutcome, fault: GatewayError | None) -> Attempt:
    if fault:
        fault.provider = step.provider.id
    return Attempt(
        provider=step.provider.id,
        model=step.model.name,
        outcome=outcome,
        error_code=fault.code if fault else None,
        detail=told(fault) if fault else None,
        cause=fault.detail if fault else None,
        upstream_status=fault.upstream_status if fault else None,
    )
