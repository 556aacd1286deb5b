"""The verdict on a plan that nobody answered: the one error that tells of all that was met."""

from collections.abc import Sequence
from dataclasses import dataclass

from llm_gateway.domain.faults import (
    CallTooLarge,
    CircuitOpen,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
)
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.domain.routing import Plan, Step
from llm_gateway.errors import DependencyUnavailable, GatewayError, NoProviderAvailable, Unprocessable
from llm_gateway.ports.providers import ProviderGates
from llm_gateway.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Looks at the gates to tell when it is worth asking again."""

    gates: ProviderGates
    clock: Clock

    def verdict(self, plan: Plan, met: Sequence[GatewayError]) -> GatewayError:
        """The only candidate's own error, or what the errors of several have in common."""
        unfit = Unprocessable | CallTooLarge
        faults = [fault for fault in met if not isinstance(fault, unfit)] or met[:1]
        alone = faults[0] if len(faults) == 1 else None
        if alone and not isinstance(alone, CircuitOpen | ProviderNotConnected):
            return alone
        if all(isinstance(fault, DependencyUnavailable) for fault in faults):
            return faults[0]
        soonest_s = self._soonest_s(faults, plan)
        if all(isinstance(fault, ProviderRateLimited) for fault in faults):
            return ProviderRateLimited("Every provider that could answer is at its limit.", retry_after_s=soonest_s)
        return NoProviderAvailable("No provider that could answer did.", retry_after_s=soonest_s)

    def _soonest_s(self, faults: Sequence[GatewayError], plan: Plan) -> float | None:
        """When the first of those that failed can be asked again; None where one can be at once, as far as is known."""
        book = {step.candidate.provider.id: step.candidate.provider for step in plan if isinstance(step, Step)}
        waits = [max(fault.retry_after_s or 0, self._closed_s(book.get(_provider(fault)))) for fault in faults]
        return min(waits, default=0) or None

    def _closed_s(self, config: ProviderConfig | None) -> float:
        """How long the provider's gate stays closed; 0 where it is open, or nobody can tell."""
        try:
            opens_at = self.gates.state(config).retry_at if config else None
        except DependencyUnavailable:
            return 0
        return (opens_at - self.clock.now()).total_seconds() if opens_at else 0


def _provider(fault: GatewayError) -> str:
    return (fault.provider or "") if isinstance(fault, ProviderFault) else ""
