"""The composition root: the use cases, wired. It knows no concrete class but through `Outside`."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from llm_gateway.settings import Settings

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.prompts import Suite
    from llm_gateway.outside import Outside
    from llm_gateway.ports.embeddings import Embedder
    from llm_gateway.ports.providers import Providers
    from llm_gateway.ports.queries import Delivery
    from llm_gateway.services.audit.denials import Denials
    from llm_gateway.services.audit.keeping import AuditKeeper
    from llm_gateway.services.audit.trail import AuditTrail
    from llm_gateway.services.backups import Backups
    from llm_gateway.services.catalog import ModelCatalog
    from llm_gateway.services.context.assembling import Assembler
    from llm_gateway.services.context.embedding import KeptVectors
    from llm_gateway.services.context.provider_counts import ProviderCounts
    from llm_gateway.services.erasing import ErasureService, ErasureWorker
    from llm_gateway.services.evals.canaries import CanaryWatch
    from llm_gateway.services.evals.cases import CaseAsker
    from llm_gateway.services.evals.feedback import FeedbackService
    from llm_gateway.services.evals.performance import PerformanceReader
    from llm_gateway.services.evals.running import RunService
    from llm_gateway.services.evals.worker import RunWorker
    from llm_gateway.services.keys.administration import KeyBook, KeyService
    from llm_gateway.services.keys.authentication import Authentication
    from llm_gateway.services.keys.failures import Failures
    from llm_gateway.services.keys.last_use import LastUse
    from llm_gateway.services.keys.signatures import Signatures
    from llm_gateway.services.privacy.policies import Policies
    from llm_gateway.services.prompts.administration import PromptService
    from llm_gateway.services.prompts.checks import PromptChecks
    from llm_gateway.services.prompts.commits import Commits
    from llm_gateway.services.prompts.labels import LabelService
    from llm_gateway.services.prompts.reading import PromptBook
    from llm_gateway.services.prompts.rendering import Renderer
    from llm_gateway.services.prompts.resolution import Resolver
    from llm_gateway.services.prompts.shipped import ShippedRoles
    from llm_gateway.services.provider_status import StatusService
    from llm_gateway.services.providers import ProviderBook, ProviderService
    from llm_gateway.services.queries.asking import Asker
    from llm_gateway.services.queries.assembly import Assembly
    from llm_gateway.services.queries.booking import Booking
    from llm_gateway.services.queries.cache import Caching
    from llm_gateway.services.queries.calls import Calls
    from llm_gateway.services.queries.charge import Charges
    from llm_gateway.services.queries.closing import Closing
    from llm_gateway.services.queries.counting import InputCounter
    from llm_gateway.services.queries.dispatch import Dispatcher
    from llm_gateway.services.queries.embedding import EmbeddingAsker
    from llm_gateway.services.queries.entry import Entry
    from llm_gateway.services.queries.foretelling import Foreteller
    from llm_gateway.services.queries.listing import Lister
    from llm_gateway.services.queries.planning import Planner
    from llm_gateway.services.queries.reading import Reader
    from llm_gateway.services.queries.states import States
    from llm_gateway.services.queries.worker import Worker
    from llm_gateway.services.replay import Claims, Replay
    from llm_gateway.services.usage.reading import UsageReader
    from llm_gateway.services.usage.rolling import UsageRoller
    from llm_gateway.services.usage.spans import SpanReader


def gateway_of(settings: Settings) -> "Gateway":
    """The gateway over what `settings` name in AWS. Nothing is reached before it is asked for."""
    from llm_gateway.outside import Outside

    return Gateway(settings, Outside(settings))


def _shipped_roles() -> "ShippedRoles":
    from llm_gateway.services.prompts.shipped import ShippedRoles

    return ShippedRoles()


def _shipped_suite(role_id: str) -> "Suite":
    from llm_gateway.services.prompts.shipped import suite_of

    return suite_of(role_id)


@dataclass(frozen=True)
class Gateway:
    """Each use case is made, and its module imported, when it is first asked for."""

    settings: Settings
    outside: "Outside"

    @cached_property
    def authentication(self) -> "Authentication":
        from llm_gateway.services.keys.authentication import Authentication

        outside = self.outside
        return Authentication(store=outside.key_store, pepper=outside.pepper, clock=outside.clock)

    @cached_property
    def signatures(self) -> "Signatures":
        from llm_gateway.services.keys.signatures import Signatures

        outside = self.outside
        return Signatures(store=outside.key_store, pepper=outside.pepper, nonces=outside.nonces, clock=outside.clock)

    @cached_property
    def failures(self) -> "Failures":
        from llm_gateway.services.keys.failures import Failures

        return Failures(attempts=self.outside.failed_attempts, clock=self.outside.clock)

    @cached_property
    def last_use(self) -> "LastUse":
        from llm_gateway.services.keys.last_use import LastUse

        return LastUse(uses=self.outside.key_uses, clock=self.outside.clock)

    @cached_property
    def keys(self) -> "KeyBook":
        from llm_gateway.services.keys.administration import KeyBook

        outside = self.outside
        return KeyBook(
            store=outside.key_store, uses=outside.key_uses, clock=outside.clock, accounts=outside.key_accounts
        )

    @cached_property
    def key_changes(self) -> "KeyService":
        from llm_gateway.services.keys.administration import KeyService
        from llm_gateway.wire.keys import as_auditors_see

        outside = self.outside
        return KeyService(
            store=outside.key_store,
            uses=outside.key_uses,
            pepper=outside.pepper,
            log=outside.audit_log,
            shown=as_auditors_see,
            clock=outside.clock,
            ids=outside.ids,
            draw=outside.draw,
        )

    @cached_property
    def providers(self) -> "ProviderBook":
        from llm_gateway.services.providers import ProviderBook

        return ProviderBook(store=self.outside.provider_store)

    @cached_property
    def catalog(self) -> "ModelCatalog":
        from llm_gateway.services.catalog import ModelCatalog

        return ModelCatalog(providers=self.outside.provider_store, prompts=lambda: self.prompts)

    @cached_property
    def provider_changes(self) -> "ProviderService":
        from llm_gateway.services.providers import ProviderService
        from llm_gateway.wire.providers import as_auditors_see

        return ProviderService(
            store=self.outside.provider_store,
            credentials=self.outside.credentials,
            log=self.outside.audit_log,
            shown=as_auditors_see,
            clock=self.outside.clock,
            ids=self.outside.ids,
            private_addresses_allowed=self.settings.allow_private_addresses,
            bedrock_allowed=self.settings.allow_bedrock,
            own_model_url=self.settings.local_model_url,
        )

    @cached_property
    def prompts(self) -> "PromptBook":
        from llm_gateway.services.prompts.reading import PromptBook

        return PromptBook(store=self.outside.prompt_store, shipped=_shipped_roles, shipped_suite=_shipped_suite)

    @cached_property
    def prompt_changes(self) -> "PromptService":
        from llm_gateway.services.prompts.administration import PromptService
        from llm_gateway.wire.prompts import as_auditors_see

        return PromptService(
            store=self.outside.prompt_store,
            shipped=_shipped_roles,
            shipped_suite=_shipped_suite,
            checks=self.prompt_checks,
            commits=self.prompt_commits,
            shown=as_auditors_see,
            clock=self.outside.clock,
        )

    @cached_property
    def renderer(self) -> "Renderer":
        from llm_gateway.services.prompts.rendering import Renderer

        return Renderer(book=self.prompts, resolver=self.resolver, counter=self.outside.counter)

    @cached_property
    def labels(self) -> "LabelService":
        from llm_gateway.services.evals.gate import QualityGate
        from llm_gateway.services.prompts.labels import LabelService
        from llm_gateway.wire.labels import as_auditors_see

        return LabelService(
            store=self.outside.prompt_store,
            shipped=_shipped_roles,
            checks=self.prompt_checks,
            commits=self.prompt_commits,
            passes=QualityGate(self.outside.runs, self.outside.journal).check,
            shown=as_auditors_see,
            clock=self.outside.clock,
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
    def backups(self) -> "Backups":
        from llm_gateway.services.backups import Backups

        outside = self.outside
        return Backups(tables=outside.configuration_tables, log=outside.audit_log, clock=outside.clock)

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
    def replay(self) -> "Replay":
        from llm_gateway.services.replay import Replay

        return Replay(claims=self.claims, ids=self.outside.ids)

    @cached_property
    def asking(self) -> "Asker":
        from llm_gateway.services.queries.asking import Asker

        return Asker(
            store=self.outside.query_store,
            queue=self.outside.queue,
            entry=self.entry,
            policies=lambda: self.policies,
            planner=self.planner,
            charges=self.charges,
            booking=self.booking,
            dispatcher=self.dispatcher,
            states=self.states,
            closing=self.closing,
            clock=self.outside.clock,
        )

    @cached_property
    def foretelling(self) -> "Foreteller":
        from llm_gateway.services.queries.foretelling import Foreteller

        outside = self.outside
        return Foreteller(
            planner=self.planner,
            entry=self.entry,
            counter=outside.counter,
            prices=outside.prices,
            clock=outside.clock,
        )

    @cached_property
    def counting(self) -> "InputCounter":
        from llm_gateway.services.queries.counting import InputCounter

        outside = self.outside
        return InputCounter(
            planner=self.planner,
            entry=self.entry,
            provider_counts=lambda: self.provider_counts,
            accounts=lambda: outside.key_accounts,
            counter=outside.counter,
            clock=outside.clock,
            ids=outside.ids,
        )

    @cached_property
    def reading(self) -> "Reader":
        from llm_gateway.services.queries.reading import Reader

        return Reader(
            store=self.outside.query_store,
            closing=self.closing,
            waits=lambda: self.outside.waits,
            clock=self.outside.clock,
            retention=timedelta(days=self.settings.retention_days),
            policies=lambda: self.policies,
        )

    @cached_property
    def listing(self) -> "Lister":
        from llm_gateway.services.queries.listing import Lister

        retention = timedelta(days=self.settings.retention_days)
        return Lister(index=self.outside.query_index, clock=self.outside.clock, retention=retention)

    @cached_property
    def usage(self) -> "UsageReader":
        from llm_gateway.services.usage.reading import UsageReader

        return UsageReader(spans=self.spans, clock=self.outside.clock)

    @cached_property
    def runs(self) -> "RunService":
        from llm_gateway.services.evals.running import RunService
        from llm_gateway.wire.suites import parsed_suite

        outside = self.outside
        return RunService(
            prompts=self.prompts,
            runs=outside.runs,
            queue=outside.queue,
            cases=self.cases,
            parse=parsed_suite,
            clock=outside.clock,
            ids=outside.ids,
            retention=timedelta(days=self.settings.retention_days),
        )

    @cached_property
    def run_worker(self) -> "RunWorker":
        from llm_gateway.services.evals.worker import RunWorker

        outside = self.outside
        return RunWorker(
            runs=outside.runs,
            keys=outside.key_store,
            queue=outside.queue,
            cases=self.cases,
            clock=outside.clock,
            ids=outside.ids,
            lease=timedelta(seconds=self.settings.lease_s),
        )

    @cached_property
    def canaries(self) -> "CanaryWatch":
        from llm_gateway.services.evals.canaries import CanaryWatch

        outside = self.outside
        return CanaryWatch(
            prompts=outside.prompt_store,
            labels=self.labels,
            spans=self.spans,
            feedback=outside.feedback,
            events=outside.canary_events,
            journal=outside.journal,
            clock=outside.clock,
        )

    @cached_property
    def performance(self) -> "PerformanceReader":
        from llm_gateway.services.evals.performance import PerformanceReader

        outside = self.outside
        return PerformanceReader(
            prompts=self.prompts,
            spans=self.spans,
            feedback=outside.feedback,
            runs=outside.runs,
            clock=outside.clock,
        )

    @cached_property
    def erasures(self) -> "ErasureService":
        from llm_gateway.services.erasing import ErasureService

        outside = self.outside
        return ErasureService(
            store=outside.erasures,
            keys=outside.key_store,
            queue=outside.queue,
            log=outside.audit_log,
            seal=lambda: outside.seal,
            clock=outside.clock,
            ids=outside.ids,
            kept=timedelta(days=self.settings.usage_retention_days),
        )

    @cached_property
    def erasure_worker(self) -> "ErasureWorker":
        from llm_gateway.services.erasing import ErasureWorker

        outside = self.outside
        return ErasureWorker(
            store=outside.erasures,
            index=outside.erasable,
            queries=outside.query_store,
            closing=self.closing,
            runs=outside.runs,
            seal=outside.seal,
            queue=outside.queue,
            clock=outside.clock,
        )

    def worker_of(self, delivery: "Delivery") -> "Worker | RunWorker | ErasureWorker":
        """What works on the message: on a query, a run of tests or an erasure."""
        if delivery.is_of_an_erasure:
            return self.erasure_worker
        return self.run_worker if delivery.is_of_a_run else self.worker

    @cached_property
    def feedback(self) -> "FeedbackService":
        from llm_gateway.services.evals.feedback import FeedbackService

        return FeedbackService(
            reader=self.reading,
            store=self.outside.feedback,
            clock=self.outside.clock,
            policies=lambda: self.policies,
        )

    @cached_property
    def usage_roller(self) -> "UsageRoller":
        from llm_gateway.services.usage.rolling import UsageRoller

        outside = self.outside
        return UsageRoller(index=outside.query_index, rollups=outside.rollups, clock=outside.clock)

    @cached_property
    def worker(self) -> "Worker":
        from llm_gateway.services.queries.worker import Worker

        return Worker(
            store=self.outside.query_store,
            keys=self.outside.key_store,
            queue=self.outside.queue,
            planner=self.planner,
            charges=self.charges,
            caching=self.caching,
            dispatcher=self.dispatcher,
            states=self.states,
            closing=self.closing,
            clock=self.outside.clock,
        )

    # What the use cases share

    @cached_property
    def prompt_checks(self) -> "PromptChecks":
        from llm_gateway.services.prompts.checks import PromptChecks

        return PromptChecks(store=self.outside.prompt_store, shipped=_shipped_roles)

    @cached_property
    def prompt_commits(self) -> "Commits":
        from llm_gateway.services.prompts.commits import Commits

        outside = self.outside
        return Commits(log=outside.audit_log, clock=outside.clock, draw=outside.draw)

    @cached_property
    def booking(self) -> "Booking":
        from llm_gateway.services.queries.booking import Booking

        outside, tracing = self.outside, self.outside.tracing
        if tracing is not None:
            from llm_gateway.services.queries.traced_booking import TracedBooking

            return TracedBooking(
                store=outside.query_store,
                caching=self.caching,
                claims=self.claims,
                gates=outside.gates,
                clock=outside.clock,
                step=tracing.step,
            )
        return Booking(
            store=outside.query_store,
            caching=self.caching,
            claims=self.claims,
            gates=outside.gates,
            clock=outside.clock,
        )

    @cached_property
    def closing(self) -> "Closing":
        from llm_gateway.services.queries.closing import Closing

        return Closing(
            store=self.outside.query_store,
            caching=self.caching,
            claims=self.claims,
            journal=self.outside.journal,
            clock=self.outside.clock,
            accounts=lambda: self.outside.key_accounts,
            policies=lambda: self.policies,
        )

    @cached_property
    def cases(self) -> "CaseAsker":
        from llm_gateway.services.evals.assertions import Checker
        from llm_gateway.services.evals.cases import CaseAsker
        from llm_gateway.services.evals.judging import Judge
        from llm_gateway.services.evals.likeness import Likeness

        clock = self.outside.clock
        judge = Judge(asker=self.asking, clock=clock)
        likeness = Likeness(embedder=self.embeddings, clock=clock, ids=self.outside.ids, policies=lambda: self.policies)
        return CaseAsker(
            asker=self.asking,
            judge=judge,
            likeness=likeness,
            checker=Checker(clock=clock),
            clock=clock,
            policies=lambda: self.policies,
        )

    @cached_property
    def spans(self) -> "SpanReader":
        from llm_gateway.services.usage.spans import SpanReader

        return SpanReader(
            index=self.outside.query_index,
            rollups=self.outside.rollups,
            clock=self.outside.clock,
            kept=timedelta(days=self.settings.retention_days),
            rollups_kept=timedelta(days=self.settings.usage_retention_days),
        )

    @cached_property
    def charges(self) -> "Charges":
        from llm_gateway.services.queries.charge import Charges

        return Charges(accounts=lambda: self.outside.key_accounts, clock=self.outside.clock)

    @cached_property
    def claims(self) -> "Claims":
        from llm_gateway.services.replay import Claims

        return Claims(store=self.outside.idempotency, clock=self.outside.clock)

    @cached_property
    def caching(self) -> "Caching":
        from llm_gateway.services.queries.cache import Caching

        ttl = timedelta(seconds=self.settings.cache_ttl_s)
        cache, tracing = self.outside.cache, self.outside.tracing
        return Caching(
            cache=tracing.cache(cache) if tracing else cache,
            clock=self.outside.clock,
            ttl=ttl,
            policies=lambda: self.policies,
        )

    @cached_property
    def states(self) -> "States":
        from llm_gateway.services.queries.states import States

        return States(
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
            prices=outside.prices,
            clock=outside.clock,
            draw=outside.draw,
            private_addresses_allowed=self.settings.allow_private_addresses,
            assembler=lambda: self.assembler,
            provider_counts=lambda: self.provider_counts,
            vectors=lambda: self.context_vectors,
        )

    @cached_property
    def assembler(self) -> "Assembler":
        from llm_gateway.services.context.assembling import Assembler

        return Assembler(segmenter=self.outside.segmenter, counter=self.outside.counter)

    @cached_property
    def context_vectors(self) -> "KeptVectors":
        from llm_gateway.services.context.embedding import KeptVectors

        return KeptVectors(embedder=self.embeddings, ids=self.outside.ids)

    @cached_property
    def provider_counts(self) -> "ProviderCounts":
        from llm_gateway.services.context.provider_counts import ProviderCounts

        return ProviderCounts(providers=self.outside.models, credentials=self.outside.credentials)

    @cached_property
    def entry(self) -> "Entry":
        from llm_gateway.services.queries.entry import Entry

        return Entry(assembly=lambda: self.assembly, policies=lambda: self.policies)

    @cached_property
    def policies(self) -> "Policies":
        from llm_gateway.services.privacy.policies import Policies

        outside = self.outside
        return Policies(detector=outside.detector, seal=lambda: outside.seal, journal=outside.journal)

    @cached_property
    def assembly(self) -> "Assembly":
        from llm_gateway.services.queries.assembly import Assembly

        return Assembly(resolver=self.resolver, providers=self.outside.provider_store)

    @cached_property
    def resolver(self) -> "Resolver":
        from llm_gateway.services.prompts.resolution import Resolver

        return Resolver(reader=self.outside.prompt_reader, shipped=_shipped_roles, draw=self.outside.draw)

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        from llm_gateway.services.queries.dispatch import Dispatcher

        outside = self.outside
        return Dispatcher(calls=self.calls, credentials=outside.credentials, clock=outside.clock, draw=outside.draw)

    @cached_property
    def embeddings(self) -> "Embedder":
        from llm_gateway.services.embeddings.asking import EmbeddingService
        from llm_gateway.services.embeddings.calls import EmbeddingCalls
        from llm_gateway.services.embeddings.charge import EmbeddingCharges
        from llm_gateway.services.embeddings.planning import EmbeddingPlanner

        outside = self.outside
        return EmbeddingService(
            planner=EmbeddingPlanner(
                providers=outside.provider_store, prices=outside.prices, clock=outside.clock, draw=outside.draw
            ),
            calls=EmbeddingCalls(
                providers=self.models,
                credentials=outside.credentials,
                gates=outside.gates,
                prices=outside.prices,
                clock=outside.clock,
                draw=outside.draw,
            ),
            charges=EmbeddingCharges(accounts=lambda: outside.key_accounts, clock=outside.clock),
        )

    @cached_property
    def asking_to_embed(self) -> "EmbeddingAsker":
        from llm_gateway.services.queries.embedding import EmbeddingAsker

        return EmbeddingAsker(
            embedder=self.embeddings,
            store=self.outside.query_store,
            states=self.states,
            journal=self.outside.journal,
            clock=self.outside.clock,
            policies=lambda: self.policies,
        )

    @cached_property
    def models(self) -> "Providers":
        """Providers as they are called, with a span for each call where that is wanted."""
        models, tracing = self.outside.models, self.outside.tracing
        return tracing.providers(models) if tracing else models

    @cached_property
    def calls(self) -> "Calls":
        from llm_gateway.services.queries.calls import Calls

        return Calls(
            providers=self.models,
            gates=self.outside.gates,
            prices=self.outside.prices,
            counter=self.outside.counter,
            clock=self.outside.clock,
        )
