"""`llm-gateway models`: what can be asked for."""

from llm_gateway_client.answers import ModelConfig, ProviderConfig
from llm_gateway_client.cli.session import Json, session


def list_models(as_json: Json = False) -> None:
    """List the models of all providers, as `--model` takes them."""
    providers = list(session().client.providers.list())
    rows = [_row(provider, model) for provider in providers for model in _models(provider)]
    terminal = session().terminal
    if as_json:
        names = (
            "model",
            "aliases",
            "enabled",
            "is_default",
            "context_window",
            "input_usd_per_mtok",
            "output_usd_per_mtok",
        )
        terminal.json([dict(zip(names, row, strict=True)) for row in rows])
        return
    columns = ("model", "aliases", "enabled", "default", "window", "$/M in", "$/M out")
    terminal.table(columns, rows, right=("window", "$/M in", "$/M out"))


def _models(provider: ProviderConfig) -> list[ModelConfig | str]:
    listed: list[ModelConfig | str] = list(provider.models)
    return (
        listed
        if provider.default_model in {each.name for each in provider.models}
        else [provider.default_model, *listed]
    )


def _row(provider: ProviderConfig, model: ModelConfig | str) -> tuple[object, ...]:
    name = model if isinstance(model, str) else model.name
    model_id, is_default = f"{provider.id}/{name}", name == provider.default_model
    if isinstance(model, str):
        return model_id, [], provider.enabled, is_default, None, None, None
    known = (model.context_window, model.input_usd_per_mtok, model.output_usd_per_mtok)
    return model_id, list(model.aliases or []), provider.enabled, is_default, *known
