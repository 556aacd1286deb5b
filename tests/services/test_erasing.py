"""Erasures: everything of a key or a subject goes, once, whatever dies on the way; and what is left is what it counted as."""

from dataclasses import replace
from datetime import timedelta

import pytest
from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.erasures import SWEPT_AFTER, Erasure, ErasureStatus, Target, digest_of
from llm_gateway.domain.keys import Role
from llm_gateway.domain.prompts.runs import CaseResult, Finding, RunCase, SuiteRun
from llm_gateway.domain.prompts.suites import AssertionType
from llm_gateway.domain.queries import Query, QuerySummary
from llm_gateway.domain.sealing import Shredded
from llm_gateway.domain.usage import TEST_TAG
from llm_gateway.errors import DependencyUnavailable, ErasureNotFound, KeyNotFound, NotDone
from llm_gateway.ports.queries import Delivery
from llm_gateway.services.erasing import PAGE

from tests.adapters.authors import BY
from tests.adapters.clock import FakeClock
from tests.adapters.gateway import FakeGateway
from tests.stores.values import query, question, succeeded

ALICE, BOB = "key_alice", "key_bob"
MINE = digest_of("customer 42")


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


def stored(gateway: FakeGateway, *, owner: str = ALICE, subject: object = None) -> Query:
    """A query that has been answered, with a copy in the cache and under an idempotency key."""
    outside, now = gateway.outside, gateway.outside.clock.now()
    metadata = {} if subject is None else {"subject": subject}
    query_id = "qry_" + outside.ids.ulid()
    made = succeeded(
        query(
            query_id,
            owner=owner,
            idempotency_scope=f"scope of {query_id}",
            cache_keys=frozenset({f"place of {query_id}"}),
            request=question(metadata=metadata),
            created_at=now,
            expires_at=now + timedelta(days=30),
        )
    )
    outside.query_store.add(made)
    return made


def begun(gateway: FakeGateway, target: Target) -> Erasure:
    gateway.outside.clock.move(seconds=2)
    return gateway.erasures.start(target, by=replace(BY, action="erasure.created"))


def delivery(erasure: Erasure, count: int = 1) -> Delivery:
    return Delivery(query_id=erasure.id, receipt="r", queue_arn="arn", count=count)


def work(gateway: FakeGateway, erasure: Erasure) -> Erasure:
    gateway.erasure_worker.process(delivery(erasure))
    return gateway.erasures.get(erasure.id)


def ids(gateway: FakeGateway) -> set[str]:
    return {each.id for each in gateway.outside.query_store.all()}


@pytest.mark.parametrize("count", [0, 1, PAGE, 2 * PAGE + 3])
def test_a_keys_queries_go_and_nobody_elses(gateway: FakeGateway, count: int) -> None:
    key, _ = gateway.new_key(Role.CALLER)
    mine = [stored(gateway, owner=key.id) for _ in range(count)]
    others = {stored(gateway, owner=BOB).id}
    erasure = begun(gateway, Target(key_id=key.id))
    assert (erasure.status, erasure.erased) == (ErasureStatus.RUNNING, 0)
    done = work(gateway, erasure)
    assert (done.status, done.erased) == (ErasureStatus.FINISHED, count)
    assert done.completed_at is not None
    assert ids(gateway) == others
    now = gateway.outside.clock.now()
    assert len(gateway.outside.query_store.counted(now - timedelta(days=3000), now + timedelta(days=3000))) == count + 1
    assert len(mine) == count


@pytest.mark.holds("LLM02")
def test_a_subjects_queries_go_whoever_asked_them(gateway: FakeGateway) -> None:
    for owner in (ALICE, BOB):
        stored(gateway, owner=owner, subject="customer 42")
    left = {stored(gateway, subject=each).id for each in ("customer 43", 42, "", None, ["customer 42"])}
    done = work(gateway, begun(gateway, Target(subject=MINE)))
    assert done.erased == 2
    assert ids(gateway) == left


def test_what_comes_in_later_stays(gateway: FakeGateway) -> None:
    erasure = begun(gateway, Target(subject=MINE))
    later = stored(gateway, subject="customer 42")
    assert work(gateway, erasure).erased == 0
    assert ids(gateway) == {later.id}


def test_copies_go_too(gateway: FakeGateway) -> None:
    asked = stored(gateway, subject="customer 42")
    outside = gateway.outside
    scope = asked.idempotency_scope
    assert scope is not None
    until = outside.clock.now() + timedelta(hours=1)
    [place] = asked.cache_keys
    assert asked.answer is not None
    kept = CachedAnswer(answer=asked.answer, query_id=asked.id, cached_at=outside.clock.now(), expires_at=until)
    outside.cache.put(place, kept, owner=asked.owner)
    assert outside.cache.peek(place) == kept
    outside.idempotency.claim(scope, fingerprint="f", reference=asked.id, until=until)
    work(gateway, begun(gateway, Target(subject=MINE)))
    assert outside.idempotency.claim(scope, fingerprint="other", reference="qry_new", until=until) is None
    assert outside.cache.peek(place) is None


def test_what_a_key_has_sealed_opens_no_more(gateway: FakeGateway) -> None:
    key, _ = gateway.new_key(Role.CALLER)
    sealed = gateway.outside.seal.seal(b"words", key_id=key.id, query_id="qry_1")
    work(gateway, begun(gateway, Target(key_id=key.id)))
    with pytest.raises(Shredded):
        gateway.outside.seal.open(sealed, key_id=key.id, query_id="qry_1")


@pytest.mark.parametrize("has_sealed", [True, False])
def test_what_a_key_asks_from_then_on_is_readable_after_the_sweep_too(
    gateway: FakeGateway, *, has_sealed: bool
) -> None:
    key, _ = gateway.new_key(Role.CALLER)
    seal, clock = gateway.outside.seal, gateway.outside.clock
    if has_sealed:
        seal.seal(b"words", key_id=key.id, query_id="qry_0")
    erasure = begun(gateway, Target(key_id=key.id))
    sealed = {"qry_1": seal.seal(b"words", key_id=key.id, query_id="qry_1")}
    work(gateway, erasure)
    sealed["qry_2"] = seal.seal(b"words", key_id=key.id, query_id="qry_2")
    clock.move(seconds=SWEPT_AFTER.total_seconds())
    assert work(gateway, erasure).swept
    for query_id, each in sealed.items():
        assert seal.open(each, key_id=key.id, query_id=query_id) == b"words"


def test_where_the_secrets_cannot_be_renewed_no_erasure_begins(gateway: FakeGateway) -> None:
    key, _ = gateway.new_key(Role.CALLER)
    entries = len(gateway.outside.audit_log.contents().kept)

    class Away:
        def renew(self, key_id: str) -> None:
            raise DependencyUnavailable("Away.", retry_after_s=1)

    service = replace(gateway.erasures, seal=Away)  # type: ignore[arg-type]
    with pytest.raises(DependencyUnavailable):
        service.start(Target(key_id=key.id), by=replace(BY, action="erasure.created"))
    assert gateway.outside.erasures.page(limit=9, cursor=None).items == ()
    assert len(gateway.outside.audit_log.contents().kept) == entries
    assert gateway.outside.queue.sent == []


def test_a_query_that_was_still_being_answered_goes_a_quarter_of_an_hour_later(gateway: FakeGateway) -> None:
    came_in = gateway.outside.clock.now()
    made_id = "qry_" + gateway.outside.ids.ulid()
    erasure = work(gateway, begun(gateway, Target(subject=MINE)))
    assert gateway.outside.queue.sent[-1].delay_s == SWEPT_AFTER.total_seconds()
    late = replace(stored(gateway, subject="customer 42"), id=made_id, created_at=came_in)
    gateway.outside.query_store.add(late)
    before = ids(gateway)
    assert work(gateway, erasure).swept is False
    assert ids(gateway) == before
    gateway.outside.clock.move(seconds=SWEPT_AFTER.total_seconds())
    swept = work(gateway, erasure)
    assert (swept.swept, swept.erased) == (True, 1)
    assert made_id not in ids(gateway)
    assert work(gateway, swept) == swept


@pytest.mark.holds("LLM02")
def test_one_that_died_on_the_way_is_gone_on_with_and_counts_each_once(gateway: FakeGateway) -> None:
    for _ in range(PAGE + 5):
        stored(gateway, subject="customer 42")
    erasure = begun(gateway, Target(subject=MINE))
    erase, asked = gateway.closing.erase, iter(range(100))

    class Dying:
        def erase(self, query: object) -> None:
            if next(asked) == 7:
                raise SystemExit
            erase(query)  # type: ignore[arg-type]

    worker = replace(gateway.erasure_worker, closing=Dying())  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        worker.process(delivery(erasure))
    died = gateway.erasures.get(erasure.id)
    assert (died.erased, len(died.pending)) == (0, PAGE)
    assert work(gateway, erasure).erased == PAGE + 5
    assert ids(gateway) == set()


def test_of_two_workers_one_gives_way(gateway: FakeGateway) -> None:
    stored(gateway, subject="customer 42")
    erasure = begun(gateway, Target(subject=MINE))
    index = gateway.outside.query_index

    class Overtaken:
        def of_target(self, *args: object, **how: object) -> tuple[tuple[str, ...], str | None]:
            found = index.of_target(*args, **how)  # type: ignore[arg-type]
            work(gateway, erasure)
            return found

    slow = replace(gateway.erasure_worker, index=Overtaken())
    with pytest.raises(NotDone, match="Somebody else"):
        slow.process(delivery(erasure))
    assert gateway.erasures.get(erasure.id).erased == 1


def test_what_cannot_be_reached_is_tried_again(gateway: FakeGateway) -> None:
    stored(gateway, subject="customer 42")
    erasure = begun(gateway, Target(subject=MINE))

    class Away:
        def of_target(self, *args: object, **how: object) -> tuple[tuple[str, ...], str | None]:
            raise DependencyUnavailable("Away.", retry_after_s=1)

    with pytest.raises(NotDone, match="Away"):
        replace(gateway.erasure_worker, index=Away()).process(delivery(erasure, 3))
    assert work(gateway, erasure).erased == 1


class Keeping:
    """Erases all queries but those of `kept`, for which it raises `fault`."""

    def __init__(self, gateway: FakeGateway, kept: set[str], fault: Exception) -> None:
        self.erase_else, self.kept, self.fault = gateway.closing.erase, kept, fault

    def erase(self, asked: QuerySummary) -> None:
        if asked.id in self.kept:
            raise self.fault
        self.erase_else(asked)


@pytest.mark.parametrize("mended", [True, False])
def test_one_that_does_not_go_keeps_no_other_from_going(
    gateway: FakeGateway, caplog: pytest.LogCaptureFixture, *, mended: bool
) -> None:
    asked = [stored(gateway, subject="customer 42") for _ in range(2 * PAGE)]
    erasure = begun(gateway, Target(subject=MINE))
    closing = Keeping(gateway, {asked[-1].id, asked[3].id}, ValueError("stored words"))
    worker = replace(gateway.erasure_worker, closing=closing)  # type: ignore[arg-type]
    worker.process(delivery(erasure))
    seen = gateway.erasures.get(erasure.id)
    assert (seen.status, seen.erased, seen.failed) == (ErasureStatus.RUNNING, 2 * PAGE - 2, 2)
    assert seen.completed_at is None
    assert ids(gateway) == closing.kept
    assert asked[3].id in caplog.text
    assert "stored words" not in caplog.text
    assert gateway.outside.queue.sent[-1].delay_s == SWEPT_AFTER.total_seconds()
    worker.process(delivery(erasure))
    assert gateway.erasures.get(erasure.id) == seen
    gateway.outside.clock.move(seconds=SWEPT_AFTER.total_seconds())
    if mended:
        closing.kept = set()
    worker.process(delivery(erasure))
    done = gateway.erasures.get(erasure.id)
    assert done.swept
    assert done.completed_at is not None
    assert done.completed_at >= erasure.created_at + SWEPT_AFTER
    if mended:
        assert (done.status, done.erased, done.failed) == (ErasureStatus.FINISHED, 2 * PAGE, 0)
    else:
        assert (done.status, done.erased, done.failed) == (ErasureStatus.FAILED, 2 * PAGE - 2, 2)
    assert ids(gateway) == closing.kept
    worker.process(delivery(erasure))
    assert gateway.erasures.get(erasure.id) == done


def test_what_may_pass_is_waited_for_before_others_go_on_without_it(gateway: FakeGateway) -> None:
    asked = [stored(gateway, subject="customer 42") for _ in range(PAGE + 2)]
    erasure = begun(gateway, Target(subject=MINE))
    closing = Keeping(gateway, {asked[-1].id}, DependencyUnavailable("Away.", retry_after_s=1))
    worker = replace(gateway.erasure_worker, closing=closing)  # type: ignore[arg-type]
    for count in (1, 2):
        with pytest.raises(NotDone, match="Away"):
            worker.process(delivery(erasure, count))
        assert gateway.erasures.get(erasure.id).failed == 0
    worker.process(delivery(erasure, 3))
    seen = gateway.erasures.get(erasure.id)
    assert (seen.erased, seen.failed) == (PAGE + 1, 1)
    assert ids(gateway) == closing.kept


def test_one_that_finished_before_passes_were_noted_is_swept(gateway: FakeGateway) -> None:
    erasure = work(gateway, begun(gateway, Target(subject=MINE)))
    earlier = erasure.changed(passed=False)
    gateway.outside.erasures.replace(earlier, expected_revision=erasure.revision)
    assert work(gateway, earlier) == earlier
    gateway.outside.clock.move(seconds=SWEPT_AFTER.total_seconds())
    done = work(gateway, earlier)
    assert (done.swept, done.completed_at) == (True, erasure.completed_at)


def test_a_long_one_is_handed_on(gateway: FakeGateway) -> None:
    for _ in range(3 * PAGE):
        stored(gateway, subject="customer 42")
    erasure = begun(gateway, Target(subject=MINE))
    index, clock = gateway.outside.query_index, FakeClock()

    class Slow:
        def of_target(self, *args: object, **how: object) -> tuple[tuple[str, ...], str | None]:
            clock.advance(300)
            return index.of_target(*args, **how)  # type: ignore[arg-type]

    slow = replace(gateway.erasure_worker, index=Slow(), clock=clock)
    slow.process(delivery(erasure))
    assert gateway.erasures.get(erasure.id).erased == 2 * PAGE
    assert gateway.outside.queue.sent[-1].query_id == erasure.id
    assert work(gateway, erasure).erased == 3 * PAGE


def test_one_that_was_tried_too_often_is_tried_again_later(gateway: FakeGateway) -> None:
    erasure = begun(gateway, Target(subject=MINE))
    gateway.erasure_worker.bury(delivery(erasure))
    assert gateway.outside.queue.sent[-1].delay_s == SWEPT_AFTER.total_seconds()
    sent = len(gateway.outside.queue.sent)
    gateway.erasure_worker.bury(replace(delivery(erasure), query_id="ers_unknown"))
    gateway.erasure_worker.process(replace(delivery(erasure, count=4), query_id="ers_unknown"))
    assert len(gateway.outside.queue.sent) == sent


def test_an_erasure_that_cannot_be_handed_to_the_workers_is_none(gateway: FakeGateway) -> None:
    asked = stored(gateway, subject="customer 42")
    gateway.outside.queue.fault = DependencyUnavailable("The queue is away.", retry_after_s=1)
    with pytest.raises(DependencyUnavailable, match="queue is away"):
        begun(gateway, Target(subject=MINE))
    assert gateway.outside.erasures.page(limit=9, cursor=None).items == ()
    assert ids(gateway) == {asked.id}
    assert gateway.outside.audit_log.entries == []


def test_whatever_dies_no_record_is_without_its_message(gateway: FakeGateway) -> None:
    """The process dies between the two: the message is there, and finds the record, or nothing."""
    stored(gateway, subject="customer 42")
    gateway.outside.clock.move(seconds=2)

    class Dying:
        def append(self, *written: object) -> None:
            gateway.outside.audit_log.append(*written)  # type: ignore[arg-type]
            raise SystemExit

    dying = replace(gateway.erasures, log=Dying())  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        dying.start(Target(subject=MINE), by=replace(BY, action="erasure.created"))
    [made] = gateway.outside.erasures.page(limit=9, cursor=None).items
    [sent] = gateway.outside.queue.sent
    assert sent.query_id == made.id
    assert work(gateway, made).status is ErasureStatus.FINISHED
    assert ids(gateway) == set()


def test_a_message_that_comes_before_its_record_waits_for_it(gateway: FakeGateway) -> None:
    early = Delivery(query_id="ers_not_yet", receipt="r", queue_arn="arn", count=1)
    for count in (1, 2, 3):
        with pytest.raises(NotDone):
            gateway.erasure_worker.process(replace(early, count=count))
    assert [held.duration_s for held in gateway.outside.queue.held] == [10, 20, 30], "longer than any request may take"
    gateway.erasure_worker.process(replace(early, count=4))


def test_an_unknown_key_and_an_unknown_erasure_are_told(gateway: FakeGateway) -> None:
    with pytest.raises(KeyNotFound):
        begun(gateway, Target(key_id="key_nobody"))
    with pytest.raises(ErasureNotFound):
        gateway.erasures.get("ers_nothing")
    assert gateway.outside.queue.sent == []


def test_the_audit_log_tells_of_it_without_the_subject(gateway: FakeGateway) -> None:
    erasure = begun(gateway, Target(subject=MINE))
    [kept] = list(gateway.outside.audit_log.contents().kept)
    assert erasure.id in repr(kept)
    assert MINE[:8] in repr(kept)
    assert MINE not in repr(kept)


def test_messages_go_to_what_works_on_them(gateway: FakeGateway) -> None:
    def named(id_: str) -> object:
        return gateway.worker_of(Delivery(query_id=id_, receipt="r", queue_arn="a", count=1))

    assert named("ers_1") is gateway.erasure_worker
    assert named("run_1@p") is gateway.run_worker
    assert named("qry_1") is gateway.worker


def test_what_a_test_run_quotes_of_an_answer_goes_too(gateway: FakeGateway) -> None:
    """Whether it passed is a count, and stays."""
    run = ended_run(gateway)
    found = {number: finding(gateway, run, number) for number in range(2)}
    gateway.outside.clock.move(seconds=2)
    work(gateway, begun(gateway, Target(subject=MINE)))
    mine, others = gateway.outside.runs.results(run)
    assert [each.detail for each in (*mine.findings, *others.findings)] == [None, "It says: Dear Anna"]
    assert (mine.passed, mine.query_id) == (False, found[0].query_id)
    assert ids(gateway) == {found[1].query_id}


def ended_run(gateway: FakeGateway) -> SuiteRun:
    now = gateway.outside.clock.now()
    run = SuiteRun(
        id="run_1",
        prompt_id="answer",
        version=1,
        tests=(),
        suite_hash="",
        owner=ALICE,
        mode="sync",
        candidates=(),
        repeats=1,
        is_whole=True,
        created_at=now,
        expires_at=now + timedelta(days=30),
    )
    gateway.outside.runs.add(run)
    return run


def finding(gateway: FakeGateway, run: SuiteRun, number: int) -> CaseResult:
    """Of a query about the first customer, or about another."""
    now, outside = gateway.outside.clock.now(), gateway.outside
    query_id = "qry_" + outside.ids.ulid()
    metadata = {"test_run": run.id, "subject": "customer 42" if number == 0 else "customer 43"}
    asked = query(query_id, tags=(TEST_TAG,), request=question(metadata=metadata), created_at=now,
                  expires_at=now + timedelta(days=30))  # fmt: skip
    outside.query_store.add(succeeded(asked))
    case = RunCase(number=number, test="t", candidate=None, repeat=1)
    detail = Finding(type=AssertionType.CONTAINS, passed=False, detail="It says: Dear Anna")
    result = CaseResult(case=case, passed=False, findings=(detail,), query_id=query_id)
    outside.runs.note(run, result)
    return result
