"""The verdict on a plan that nobody answered: the one error that tells of all that was met."""

from collections.abc import Sequence
from typing import Final

from llm_gateway.domain.faults import (
    CallTooLarge,
    CircuitOpen,
    ProviderDisabled,
    ProviderNotConnected,
    ProviderRateLimited,
)
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.domain.queries import Attempt
from llm_gateway.domain.routing import Plan, Step
from llm_gateway.errors import (
    ContextWindowExceeded,
    DependencyUnavailable,
    GatewayError,
    ModelNotAllowed,
    NoProviderAvailable,
    Unprocessable,
)
from llm_gateway.ports.providers import ProviderGates
from llm_gateway.ports.system import Clock
from llm_gateway.values import dataclass

_UNFIT: Final = (Unprocessable, CallTooLarge)
_MOST_TOLD: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Looks at the gates to tell when it is worth asking again."""

    gates: ProviderGates
    clock: Clock

    def verdict(self, plan: Plan, met: Sequence[GatewayError], attempts: Sequence[Attempt]) -> GatewayError:
        """The only candidate's own error, or what the errors of several have in common. `met` are those of one that had its
        turn, `attempts` tell of everybody."""
        faults = [fault for fault in met if not isinstance(fault, _UNFIT)]
        if not faults:
            return nobody_fits(met, attempts)
        alone = faults[0] if len(faults) == 1 else None
        if alone and not isinstance(alone, CircuitOpen | ProviderNotConnected):
            return alone
        if all(isinstance(fault, DependencyUnavailable) for fault in faults):
            return faults[0]
        soonest_s, why = self._soonest_s(faults, plan), in_short(attempts)
        verdict: GatewayError
        if all(isinstance(fault, ProviderRateLimited) for fault in faults):
            verdict = ProviderRateLimited(f"Every provider is at its limit. {why}", retry_after_s=soonest_s)
        else:
            verdict = NoProviderAvailable(f"No provider could answer. {why}", retry_after_s=soonest_s)
        verdict.provider = alone.provider if alone else None
        verdict.provider_message, verdict.upstream_status = faults[-1].provider_message, faults[-1].upstream_status
        return verdict

    def _soonest_s(self, faults: Sequence[GatewayError], plan: Plan) -> float | None:
        """When the first of those that failed can be asked again; None where one can be at once, as far as is known."""
        book = {step.candidate.provider.id: step.candidate.provider for step in plan if isinstance(step, Step)}
        waits = [max(fault.retry_after_s or 0, self._closed_s(book.get(fault.provider or ""))) for fault in faults]
        return min(waits, default=0) or None

    def _closed_s(self, config: ProviderConfig | None) -> float:
        """How long the provider's gate stays closed; 0 where it is open, or nobody can tell."""
        try:
            opens_at = self.gates.state(config).retry_at if config else None
        except DependencyUnavailable:
            return 0
        return (opens_at - self.clock.now()).total_seconds() if opens_at else 0


def nobody_fits(unfit: Sequence[GatewayError], attempts: Sequence[Attempt]) -> GatewayError:
    """The verdict on a request that no candidate can take: the first one's error, with what each said to it."""
    telling = [error for error in unfit if not isinstance(error, ProviderDisabled | ModelNotAllowed)]
    disabled = any(isinstance(error, ProviderDisabled) for error in unfit)
    if not telling and not disabled:
        verdict: GatewayError = unfit[0]
    elif not telling:
        verdict = NoProviderAvailable(
            f"Every provider that is asked for is disabled. {in_short(attempts)}", retry_after_s=60
        )
    else:
        verdict = telling[0]
        if len(telling) > 1 and all(isinstance(error, ContextWindowExceeded) for error in telling):
            verdict = ContextWindowExceeded(in_short(attempts), errors=verdict.errors)
            verdict.provider_message = telling[-1].provider_message
    verdict.attempts = tuple(attempts)
    return verdict


def in_short(attempts: Sequence[Attempt]) -> str:
    """Who was asked or passed over, and why: the last word on each candidate, without a provider's own, which may quote."""
    last = {(attempt.provider, attempt.model): attempt for attempt in attempts if attempt.error_code}
    told = [
        f"{attempt.provider}: {(attempt.cause or attempt.error_code or '').rstrip('.')}" for attempt in last.values()
    ]
    more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    return "; ".join(told[:_MOST_TOLD] + more) + "."
