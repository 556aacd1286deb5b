"""Every way of asking comes through the entry: what did not is not planned."""

import ast
from pathlib import Path

import llm_gateway
import pytest
from llm_gateway.domain.embeddings import EmbeddingQuery
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.privacy import Privacy
from llm_gateway.domain.queries import Origin
from llm_gateway.domain.terms import Terms

from tests.adapters.engine import Engine, provider, question

MASK, LOG = PiiRule.MASK, PiiRule.LOG


def test_a_request_that_owes_a_policy_is_not_planned(engine: Engine) -> None:
    engine.add(provider("a"))
    for request, terms in (
        (question(), Terms(pii=(MASK,))),
        (question(origin=Origin(pii=(MASK,))), Terms()),
        (question(privacy=Privacy(rules=(LOG,))), Terms(pii=(LOG, MASK))),
        (question(privacy=Privacy(rules=(MASK,)), origin=Origin(pii=(LOG,))), Terms(pii=(MASK,))),
    ):
        with pytest.raises(RuntimeError, match="without the policies"):
            engine.planner.plan(request, terms)
    assert engine.planner.plan(question(privacy=Privacy(rules=(LOG, MASK))), Terms(pii=(MASK,)))


def test_texts_that_owe_a_policy_are_not_embedded(engine: Engine) -> None:
    asked = EmbeddingQuery(
        id="qry_1", owner="key_1", texts=("a",), model="m", terms=Terms(pii=(MASK,)), ends_s=99, timeout_s=9
    )
    with pytest.raises(RuntimeError, match="without the policies"):
        engine.gateway.embeddings.embed(asked)


def test_nobody_plans_but_those_that_go_through_the_entry() -> None:
    """The calls of `planner.plan` in the package: each stands in a class that admits first, or asks what was admitted before."""
    package = Path(llm_gateway.__file__).parent
    planning = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "plan" and isinstance(node.value, ast.Attribute)
        if node.value.attr == "planner"
    }
    admitting = {f"services/queries/{name}.py" for name in ("asking", "foretelling", "counting")}
    # The worker asks what was stored, and embeddings are held to it by their own planner.
    assert planning == admitting | {"services/queries/worker.py", "services/embeddings/asking.py"}
