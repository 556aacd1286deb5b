"""The quality gate: a label that asks for tests leads to no version whose newest run has not passed."""

from dataclasses import dataclass
from typing import Final

from llm_gateway.domain.prompts.prompts import Gate, PromptMetadata
from llm_gateway.domain.prompts.runs import SuiteRun
from llm_gateway.errors import FieldError, QualityGateFailed
from llm_gateway.ports.evals import RunStore
from llm_gateway.ports.queries import Journal

_MOST_TOLD: Final = 5
_FIELD: Final = "gate.tests"


@dataclass(frozen=True, slots=True)
class QualityGate:
    runs: RunStore
    journal: Journal

    def check(self, prompt: PromptMetadata, gate: Gate, versions: frozenset[int]) -> None:
        """Raises `QualityGateFailed` with what failed of each version, where the gate asks for tests."""
        if not gate.tests:
            return
        failures = [failure for version in sorted(versions) for failure in self._failures(prompt, version)]
        self.journal.gate_judged(prompt.id, versions, passed=not failures)
        if failures:
            raise QualityGateFailed(f"{failures[0].field}: {failures[0].message}", errors=failures)

    def _failures(self, prompt: PromptMetadata, version: int) -> list[FieldError]:
        run = self.runs.newest(prompt.id, version)
        if prompt.suite_hash is None:
            return [FieldError(_FIELD, f"the prompt {prompt.id!r} has no tests: save some with it first")]
        if run is None:
            return [FieldError(_FIELD, f"version {version} has no run: POST /prompts/{prompt.id}/tests first")]
        if run.suite_hash != prompt.suite_hash:
            return [
                FieldError(_FIELD, f"the tests have changed since version {version} was run ({run.id}): run it again")
            ]
        if run.has_passed:
            return []
        if run.problem:
            return [FieldError(_FIELD, f"the newest run of version {version} ({run.id}) failed: {run.problem}")]
        return self._failed_cases(run)

    def _failed_cases(self, run: SuiteRun) -> list[FieldError]:
        failed = [result for result in self.runs.results(run) if not result.passed]
        told = [
            FieldError(
                _FIELD,
                f"version {run.version} fails the test {result.case.test!r} in its newest run ({run.id}): "
                + "; ".join(f"{each.type}: {each.detail}" for each in result.findings if not each.passed)[:300],
            )
            for result in failed[:_MOST_TOLD]
        ]
        more = len(failed) - _MOST_TOLD
        return [*told, FieldError(_FIELD, f"and {more} more cases of version {run.version}")] if more > 0 else told
