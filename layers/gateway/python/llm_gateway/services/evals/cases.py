"""Cases: a test asked once of one candidate, and its answer held against the test's assertions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from llm_gateway.domain.faults import ProviderRateLimited
from llm_gateway.domain.idempotency import Idempotency, Replayed
from llm_gateway.domain.identifiers import RUN_OF_A_TEST
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.money import total
from llm_gateway.domain.prompts.choices import Choices, PromptChoice, SystemChoice
from llm_gateway.domain.prompts.prompts import PromptKind
from llm_gateway.domain.prompts.runs import CaseResult, Finding, RunCase, SuiteRun
from llm_gateway.domain.prompts.suites import Judged, PromptTest, Similar
from llm_gateway.domain.queries import Query, QueryRequest
from llm_gateway.domain.strict_json import digest
from llm_gateway.domain.usage import TEST_TAG
from llm_gateway.errors import DependencyUnavailable, GatewayError, QueryInProgress, RateLimited
from llm_gateway.ports.system import Clock
from llm_gateway.services.evals.assertions import Checker, Observed, Verdict
from llm_gateway.services.evals.judging import Judge, cost_of_failure, named
from llm_gateway.services.evals.likeness import Likeness
from llm_gateway.services.privacy.policies import Policies
from llm_gateway.services.queries.asking import Asked, Asker

LATER: Final = (RateLimited, ProviderRateLimited, QueryInProgress, DependencyUnavailable)
"""What tells that a case has to wait, and not that it failed."""

_SHORTEST_S: Final = 1.0
_LONGEST_DETAIL: Final = 500
_WITHHELD: Final = "withheld: personal data could not be looked for in what it says"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAsker:
    """Asks with the caller's key, limits and budget. Its queries count as tests in usage, and nowhere in a prompt's figures."""

    asker: Asker
    judge: Judge
    likeness: Likeness
    checker: Checker
    clock: Clock
    policies: Callable[[], Policies]

    def ask(self, run: SuiteRun, case: RunCase, *, caller: Caller, timeout_s: float, replayable: bool) -> CaseResult:
        """What came of a case, also where its query failed. One that is `replayable` is paid for once, however often it is asked.

        Raises an error of `LATER` where there is to be another try.
        """
        test, caller = run.test(case.test), replace(caller, tags=(*caller.tags, TEST_TAG))
        ends_s = self.clock.monotonic_s() + timeout_s
        try:
            query = self._query(run, case, test, caller=caller, timeout_s=timeout_s, replayable=replayable)
        except LATER:
            raise
        except GatewayError as error:
            return self.failed(case, test, error)
        return self._held(case, test, query, caller=caller, ends_s=ends_s)

    def _query(
        self,
        run: SuiteRun,
        case: RunCase,
        test: PromptTest,
        *,
        caller: Caller,
        timeout_s: float,
        replayable: bool,
    ) -> Query:
        request = QueryRequest(
            messages=test.messages,
            **(named(case.candidate) if case.candidate else {}),
            fallback=() if case.candidate else None,
            cache="bypass",
            timeout_s=timeout_s,
            metadata={RUN_OF_A_TEST: run.id, "test": test.name},
        )
        key = Idempotency(scope=digest([run.owner, run.id, case.number]), fingerprint=run.id) if replayable else None
        asked = Asked(
            request=request,
            choices=_choices(run, test),
            caller=caller,
            received_s=self.clock.monotonic_s(),
            idempotency=key,
        )
        found = self.asker.run(asked)
        return found.made if isinstance(found, Replayed) else found

    def _held(self, case: RunCase, test: PromptTest, query: Query, *, caller: Caller, ends_s: float) -> CaseResult:
        observed, costs = Observed.of(query), [query.answer.cost_usd if query.answer else None]

        def ask(assertion: Judged | Similar) -> Verdict:
            left_s = max(ends_s - self.clock.monotonic_s(), _SHORTEST_S)
            if isinstance(assertion, Similar):
                judgement = self.likeness.judge(
                    assertion,
                    observed.text,
                    caller=caller,
                    timeout_s=left_s,
                    pii=query.request.privacy.rules if query.request.privacy else (),
                )
            else:
                judgement = self.judge.judge(assertion, query, caller=caller, timeout_s=left_s)
            costs.append(judgement.cost_usd)
            return judgement.verdict

        findings = tuple(self.checker.check(assertion, observed, ask=ask) for assertion in test.assertions)
        if query.request.privacy is not None:
            # A run is stored: what its findings quote of an answer is told as the answer itself is stored.
            findings = tuple(replace(each, detail=each.detail and self._redacted(each.detail)) for each in findings)
        return CaseResult(
            case=case,
            passed=all(finding.passed for finding in findings),
            findings=findings,
            query_id=query.id,
            latency_ms=observed.latency_ms,
            cost_usd=_sum(costs),
        )

    def failed(self, case: RunCase, test: PromptTest, error: GatewayError) -> CaseResult:
        """A case whose query was refused, or failed: whatever its assertions ask for, none of them passes."""
        # An answer that has not the asked form is quoted, and which policies its query was under is not known here.
        detail = f"the query failed ({error.code}: {self._redacted(error.detail)})"[:_LONGEST_DETAIL]
        findings = tuple(Finding(type=each.type, passed=False, detail=detail) for each in test.assertions)
        return CaseResult(
            case=case, passed=False, findings=findings, query_id=error.query_id, cost_usd=cost_of_failure(error)
        )

    def _redacted(self, detail: str) -> str:
        try:
            return self.policies().redact(detail, "detail")
        except GatewayError:
            # Its query and its judges are paid for: they are not asked again for the sake of a sentence.
            return _WITHHELD


def _choices(run: SuiteRun, test: PromptTest) -> Choices:
    if run.kind is PromptKind.ROLE:
        role = f"{run.prompt_id}@{run.version}"
        return Choices(system=SystemChoice(roles=(role,), variables=test.variables), wishes_of=role)
    return Choices(prompt=PromptChoice(id=run.prompt_id, version=run.version, variables=test.variables))


def _sum(costs: list[Decimal | None]) -> Decimal | None:
    known = [cost for cost in costs if cost is not None]
    return total(known) if len(known) == len(costs) else None
