"""The layers, one set in each stack that has functions: a layer exported from another stack could never be replaced."""

import sys
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct
from llm_gateway.access import Endpoint, Resource, Row

from infra.assets import code
from infra.deployment import Deployment
from layers.cache import size_mb
from layers.dependencies.build import build as build_dependencies
from layers.gateway.build import build as build_gateway
from layers.tokenizers.build import MOUNTED_AT as TOKENIZERS_MOUNTED_AT
from layers.tokenizers.build import build as build_tokenizers

__all__ = ["TOKENIZERS_MOUNTED_AT", "Layers", "asks_providers", "counts_tokens", "invokes_models"]

# Lambda's own limit is 250; what is loaded in a cold start should stay far below it.
_LIMIT_MB = 100
# Every stack with functions asks for the same ones: a synthesis builds each once, and says its size once.
_build_dependencies = cache(build_dependencies)
_build_gateway = cache(build_gateway)
_build_tokenizers = cache(build_tokenizers)


class Layers(Construct):
    """Third-party packages, tokenizers and the gateway's own package, each a layer version."""

    def __init__(self, scope: Construct, *, deployment: Deployment) -> None:
        super().__init__(scope, "Layers")
        self._deployment = deployment
        self._sizes_mb: dict[str, float] = {}
        python, architecture = deployment.python, deployment.architecture
        self._dependencies = self._layer(
            "Dependencies", lambda: _build_dependencies(python=python, architecture=architecture)
        )
        self._gateway = self._layer("Gateway", lambda: _build_gateway(python=python))

    @cached_property
    def _tokenizers(self) -> lambda_.LayerVersion:
        return self._layer("Tokenizers", _build_tokenizers)

    def of(self, row: Row) -> list[lambda_.LayerVersion]:
        """The layers of the row's function."""
        layers = [self._dependencies, self._gateway]
        return [*layers, self._tokenizers] if counts_tokens(row) else layers

    def _layer(self, name: str, build: Callable[[], Path]) -> lambda_.LayerVersion:
        def measured() -> Path:
            directory = build()
            self._sizes_mb[name] = _told_size_mb(name, directory)
            total_mb = sum(self._sizes_mb.values())
            if total_mb > _LIMIT_MB:
                raise ValueError(f"The layers take {total_mb:.0f} MB unzipped, more than {_LIMIT_MB}.")
            return directory

        return lambda_.LayerVersion(
            self,
            name,
            code=code(self, measured),
            compatible_runtimes=[self._deployment.runtime],
            compatible_architectures=[self._deployment.lambda_architecture],
        )


@cache
def _told_size_mb(name: str, directory: Path) -> float:
    size = size_mb(directory)
    print(f"layer {name.lower()}: {size:.1f} MB unzipped", file=sys.stderr)  # noqa: T201
    return size


def asks_providers(row: Row) -> bool:
    """Whether the row's function calls providers, which is what credentials are read for."""
    return Resource.CREDENTIALS in row.reads


def invokes_models(row: Row) -> bool:
    """Whether the row's function has models answer. One that only has providers count has not."""
    return asks_providers(row) and not (isinstance(row, Endpoint) and row.counts)


def counts_tokens(row: Row) -> bool:
    """Whether the row's function has a use for tokenizers."""
    return asks_providers(row) or (isinstance(row, Endpoint) and row.counts)
