"""What API Gateway tells browsers that ask for pages of other origins: which of them may call a path, and never with credentials.

No function is called for that: such a question carries no key, and anybody may ask it.
"""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from llm_gateway.access import PAGE_MAX_AGE_S, PAGE_METHODS, PAGE_READS, PAGE_SENDS


def answer_preflights(resource: apigateway.IResource, origins: Sequence[str]) -> None:
    """Have API Gateway answer OPTIONS. What is none of `origins` is told the first, which no browser takes for another's."""
    resource.add_cors_preflight(
        allow_origins=[*origins],
        allow_methods=[*PAGE_METHODS],
        allow_headers=[*PAGE_SENDS],
        allow_credentials=False,
        max_age=Duration.seconds(PAGE_MAX_AGE_S),
    )


def readable_for(origin: str) -> dict[str, str]:
    """The headers by which pages of `origin` may read an answer of API Gateway's own."""
    return {
        "Access-Control-Allow-Origin": f"'{origin}'",
        "Access-Control-Expose-Headers": f"'{', '.join(PAGE_READS)}'",
        "Vary": "'Origin'",
    }
