"""What is measured: the layers as they are deployed, for this machine's Python and processor, and each function's own file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layers.dependencies.build import build as build_dependencies
from layers.gateway.build import build as build_gateway
from layers.tokenizers.build import build as build_tokenizers
from local_aws.synthesis import LOCAL_CONTEXT
from workshop.places import ROOT

BARE: Final = "bare"
"""The function that all others are compared with: FastAPI and Mangum, and one route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The layers' directories."""

    dependencies: Path
    gateway: Path
    tokenizers: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a function must be told where nothing is mounted under /opt."""
        return {"TIKTOKEN_CACHE_DIR": str(self.tokenizers / "tiktoken")}

    def path(self, name: str, scratch: Path) -> list[Path]:
        """The directories that the function `name` sees: its own, made in `scratch`, and the layers'.

        `BARE` is a function too: it imports from the same layers, and nothing of the gateway's.
        """
        source = ROOT / ("bench" if name == BARE else "functions") / f"{name}.py"
        own = scratch / name
        own.mkdir(exist_ok=True)
        (own / source.name).write_bytes(source.read_bytes())
        return [own, self.dependencies / "python", self.gateway / "python"]


def build() -> Built:
    """Build the layers, or find them built."""
    python, architecture = LOCAL_CONTEXT["python"], LOCAL_CONTEXT["architecture"]
    return Built(
        dependencies=build_dependencies(python=python, architecture=architecture),
        gateway=build_gateway(python=python),
        tokenizers=build_tokenizers(),
    )
