"""Provider gates that remember which calls they let through and what became of them."""

from collections import Counter
from dataclasses import dataclass, field

from llm_gateway.domain.gates import Admission
from llm_gateway.domain.health import GateState
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.ports.providers import ProviderGates


@dataclass(slots=True, kw_only=True)
class RecordingGates(ProviderGates):
    """`refusals` are raised instead of asking `gates`, one a call, by provider."""

    gates: ProviderGates
    refusals: dict[str, list[Exception]] = field(default_factory=dict)
    admitted: list[Admission] = field(default_factory=list)
    settled: list[tuple[Admission, CallResult]] = field(default_factory=list)
    withdrawn: list[Admission] = field(default_factory=list)

    def admit(self, provider: ProviderConfig, *, tokens: int, timeout_s: float) -> Admission:
        refusals = self.refusals.get(provider.id)
        if refusals:
            raise refusals.pop(0)
        admission = self.gates.admit(provider, tokens=tokens, timeout_s=timeout_s)
        self.admitted.append(admission)
        return admission

    def withdraw(self, admission: Admission) -> None:
        self.withdrawn.append(admission)
        self.gates.withdraw(admission)

    def settle(self, admission: Admission, result: CallResult) -> None:
        self.settled.append((admission, result))
        self.gates.settle(admission, result)

    def state(self, provider: ProviderConfig) -> GateState:
        return self.gates.state(provider)

    @property
    def results(self) -> list[CallResult]:
        return [result for _, result in self.settled]

    @property
    def all_ended_once(self) -> bool:
        """Whether each call that was let through was settled or withdrawn, and none twice."""
        ended = Counter([admission.call.id for admission, _ in self.settled])
        ended.update(admission.call.id for admission in self.withdrawn)
        return ended == Counter(admission.call.id for admission in self.admitted)
