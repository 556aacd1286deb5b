"""The composition root: the use cases, wired. It knows no concrete class but through `Outside`."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from llm_gateway.settings import Settings

if TYPE_CHECKING:
    from llm_gateway.outside import Outside
    from llm_gateway.services.audit.denials import Denials
    from llm_gateway.services.audit.keeping import AuditKeeper
    from llm_gateway.services.audit.trail import AuditTrail
    from llm_gateway.services.keys.authentication import Keys
    from llm_gateway.services.provider_status import StatusService
    from llm_gateway.services.providers import ProviderService
    from llm_gateway.services.queries.asking import QueryService
    from llm_gateway.services.queries.booking import Ledger
    from llm_gateway.services.queries.cache import Answers
    from llm_gateway.services.queries.calls import Calls
    from llm_gateway.services.queries.dispatch import Dispatcher
    from llm_gateway.services.queries.planning import Planner
    from llm_gateway.services.queries.states import Records
    from llm_gateway.services.queries.worker import Worker
    from llm_gateway.services.replay import Once


def gateway_of(settings: Settings) -> "Gateway":
    """The gateway over what `settings` name in AWS. Nothing is reached before it is asked for."""
    from llm_gateway.outside import Outside

    return Gateway(settings, Outside(settings))


@dataclass(frozen=True)
class Gateway:
    """Each use case is made, and its module imported, when it is first asked for."""

    settings: Settings
    outside: "Outside"

    @cached_property
    def keys(self) -> "Keys":
        from llm_gateway.services.keys.authentication import Keys

        outside = self.outside
        return Keys(store=outside.key_store, pepper=outside.pepper, clock=outside.clock, ids=outside.ids)

    @cached_property
    def providers(self) -> "ProviderService":
        from llm_gateway.services.providers import ProviderService

        return ProviderService(
            store=self.outside.provider_store,
            credentials=self.outside.credentials,
            clock=self.outside.clock,
            private_addresses_allowed=self.settings.allow_private_addresses,
        )

    @cached_property
    def audit_trail(self) -> "AuditTrail":
        from llm_gateway.services.audit.trail import AuditTrail

        return AuditTrail(
            log=self.outside.audit_log,
            archive=self.outside.audit_archive if self.settings.audit_bucket else None,
            clock=self.outside.clock,
            retention=self.settings.audit_retention,
        )

    @cached_property
    def audit_keeper(self) -> "AuditKeeper":
        from llm_gateway.services.audit.keeping import AuditKeeper

        outside = self.outside
        return AuditKeeper(log=outside.audit_log, archive=outside.audit_archive, clock=outside.clock)

    @cached_property
    def denials(self) -> "Denials":
        from llm_gateway.services.audit.denials import Denials

        return Denials(counters=self.outside.denial_counters, clock=self.outside.clock)

    @cached_property
    def status(self) -> "StatusService":
        from llm_gateway.services.provider_status import StatusService

        return StatusService(
            providers=self.outside.provider_store,
            gates=self.outside.gates,
            dispatcher=self.dispatcher,
            clock=self.outside.clock,
        )

    @cached_property
    def once(self) -> "Once":
        from llm_gateway.services.replay import Once

        return Once(store=self.outside.idempotency, clock=self.outside.clock, ids=self.outside.ids)

    @cached_property
    def queries(self) -> "QueryService":
        from llm_gateway.services.queries.asking import QueryService

        return QueryService(
            store=self.outside.query_store,
            queue=self.outside.queue,
            cache=self.outside.cache,
            idempotency=self.outside.idempotency,
            planner=self.planner,
            dispatcher=self.dispatcher,
            ledger=self.ledger,
            records=self.records,
            journal=self.outside.journal,
            clock=self.outside.clock,
        )

    @cached_property
    def worker(self) -> "Worker":
        from llm_gateway.services.queries.worker import Worker

        return Worker(
            store=self.outside.query_store,
            queue=self.outside.queue,
            planner=self.planner,
            dispatcher=self.dispatcher,
            answers=self.answers,
            records=self.records,
            journal=self.outside.journal,
            clock=self.outside.clock,
        )

    # What the use cases share

    @cached_property
    def ledger(self) -> "Ledger":
        from llm_gateway.services.queries.booking import Ledger

        return Ledger(
            store=self.outside.query_store,
            answers=self.answers,
            idempotency=self.outside.idempotency,
            calls=self.calls,
            journal=self.outside.journal,
            clock=self.outside.clock,
        )

    @cached_property
    def answers(self) -> "Answers":
        from llm_gateway.services.queries.cache import Answers

        ttl = timedelta(seconds=self.settings.cache_ttl_s)
        return Answers(cache=self.outside.cache, clock=self.outside.clock, ttl=ttl)

    @cached_property
    def records(self) -> "Records":
        from llm_gateway.services.queries.states import Records

        return Records(
            clock=self.outside.clock,
            ids=self.outside.ids,
            retention=timedelta(days=self.settings.retention_days),
            lease=timedelta(seconds=self.settings.lease_s),
        )

    @cached_property
    def planner(self) -> "Planner":
        from llm_gateway.services.queries.planning import Planner

        outside = self.outside
        return Planner(
            providers=outside.provider_store,
            counter=outside.counter,
            draw=outside.draw,
            private_addresses_allowed=self.settings.allow_private_addresses,
        )

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        from llm_gateway.services.queries.dispatch import Dispatcher

        return Dispatcher(calls=self.calls, credentials=self.outside.credentials, clock=self.outside.clock)

    @cached_property
    def calls(self) -> "Calls":
        from llm_gateway.services.queries.calls import Calls

        return Calls(
            providers=self.outside.models,
            gates=self.outside.gates,
            prices=self.outside.prices,
            counter=self.outside.counter,
            clock=self.outside.clock,
        )
