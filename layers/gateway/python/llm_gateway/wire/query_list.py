"""Lists of queries over HTTP."""

from llm_gateway.domain.queries import PromptUsed, QuerySummary
from llm_gateway.domain.usage import cost_of, group_of
from llm_gateway.ports.system import Page
from llm_gateway.wire.query_status import PromptUsedShown, StatusShown
from llm_gateway.wire.schema import PageOf, Usd


class QueryListed(StatusShown):
    """A query of a list. `provider` is who answered, or else who was asked last; all three are null before anybody was."""

    key: str
    provider: str | None
    model: str | None
    cost_usd: Usd | None
    prompt: PromptUsedShown | None

    @classmethod
    def of_listed(cls, query: QuerySummary) -> "QueryListed":
        group = group_of(query)
        return cls(
            **dict(StatusShown.of(query)),
            key=group.key,
            provider=group.provider,
            model=group.model,
            cost_usd=cost_of(query) if query.status.finished else None,
            prompt=_shown(query.prompt),
        )


class QueryPage(PageOf[QueryListed]):
    """Some queries, newest first. Where a status or a prompt is looked for, a page may be short and have a next one."""

    @classmethod
    def of(cls, page: Page[QuerySummary]) -> "QueryPage":
        return cls(items=[QueryListed.of_listed(query) for query in page.items], next_cursor=page.next_cursor)


def _shown(prompt: PromptUsed | None) -> PromptUsedShown | None:
    return None if prompt is None else PromptUsedShown(id=prompt.id, version=prompt.version)
