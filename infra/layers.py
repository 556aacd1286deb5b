"""The layers, one set in each stack that has functions: a layer exported from another stack could never be replaced."""

import sys
from collections.abc import Callable
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct
from llm_gateway.access import Endpoint, Resource, Worker

from infra.assets import code
from infra.deployment import Deployment
from layers.cache import size_mb
from layers.dependencies.build import build as build_dependencies
from layers.gateway.build import build as build_gateway
from layers.tokenizers.build import MOUNTED_AT as TOKENIZERS_MOUNTED_AT
from layers.tokenizers.build import build as build_tokenizers

__all__ = ["TOKENIZERS_MOUNTED_AT", "Layers", "asks_providers"]

# Lambda's own limit is 250; what is loaded in a cold start should stay far below it.
_LIMIT_MB = 150


class Layers(Construct):
    """Third-party packages, tokenizers and the gateway's own package, each a layer version."""

    def __init__(self, scope: Construct, *, deployment: Deployment) -> None:
        super().__init__(scope, "Layers")
        self._deployment = deployment
        self._sizes_mb: dict[str, float] = {}
        python, architecture = deployment.python, deployment.architecture
        self._dependencies = self._layer(
            "Dependencies", lambda: build_dependencies(python=python, architecture=architecture)
        )
        self._gateway = self._layer("Gateway", lambda: build_gateway(python=python))
        self._tokenizers = self._layer("Tokenizers", build_tokenizers)
        self._report()

    def of(self, row: Endpoint | Worker) -> list[lambda_.LayerVersion]:
        """The layers of the row's function: tokens are counted only before a provider is asked."""
        layers = [self._dependencies, self._gateway]
        return [*layers, self._tokenizers] if asks_providers(row) else layers

    def _layer(self, name: str, build: Callable[[], Path]) -> lambda_.LayerVersion:
        def measured() -> Path:
            directory = build()
            self._sizes_mb[name.lower()] = size_mb(directory)
            return directory

        return lambda_.LayerVersion(
            self,
            name,
            code=code(self, measured),
            compatible_runtimes=[self._deployment.runtime],
            compatible_architectures=[self._deployment.lambda_architecture],
        )

    def _report(self) -> None:
        total_mb = sum(self._sizes_mb.values())
        if total_mb > _LIMIT_MB:
            raise ValueError(f"The layers take {total_mb:.0f} MB unzipped, more than {_LIMIT_MB}.")
        if self._sizes_mb:
            parts = ", ".join(f"{name} {mb:.1f}" for name, mb in self._sizes_mb.items())
            print(f"layers of {Stack.of(self).stack_name}, MB unzipped: {total_mb:.1f} ({parts})", file=sys.stderr)  # noqa: T201


def asks_providers(row: Endpoint | Worker) -> bool:
    """Whether the row's function calls providers, which is what credentials are read for."""
    return Resource.CREDENTIALS in row.reads
