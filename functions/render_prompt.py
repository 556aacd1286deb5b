"""POST /api/v1/llm/prompts/{prompt_id}/render: fill a prompt."""

from llm_gateway.entrypoints.aws import Gateway, endpoint, lambda_handler
from llm_gateway.wire.rendering import RenderBody, RenderedShown


@endpoint
def render_prompt(prompt_id: str, body: RenderBody, gateway: Gateway) -> RenderedShown:
    """What a query would send of a prompt, with the parts of its system message and where each comes from; of a role what a query
    that names it would. Nobody is asked, and no limit or budget is used."""
    return RenderedShown.of(gateway.renderer.render(prompt_id, body.to_domain()))


handler = lambda_handler(render_prompt)
