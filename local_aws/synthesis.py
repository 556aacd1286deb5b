"""The CDK app's templates, made only when what they are made from changed: a synthesis takes a dozen seconds."""

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local_aws.processes import Processes
from workshop import fingerprint, node
from workshop.places import DEV_LOCK, ROOT

ASSEMBLIES: Final = ROOT / ".cache" / "assemblies"
GATEWAY_PACKAGE: Final = ROOT / "layers" / "gateway" / "python"
# What the app imports of the gateway's package.
MODULES: Final = ("__init__", "access", "endpoints", "errors", "settings", "values")
# What an emulator lacks is off, and functions run on this machine's processor under this Python, which the emulator uses too.
LOCAL_CONTEXT: Final[Mapping[str, str]] = {
    "architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
    "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    "streaming": "buffered",
    "localModel": "off",
    "dashboards": "off",
    "waf": "off",
    "allowPrivateAddresses": "on",
    # So that a provider of this kind can be tried at a `base_url`; the emulator has no Bedrock.
    "bedrock": "on",
    "bedrockModels": "amazon.nova-micro-v1:0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """A directory of synthesized templates."""

    path: Path

    def template(self, stack_name: str) -> dict[str, Any]:
        """A stack's template."""
        template: dict[str, Any] = json.loads((self.path / f"{stack_name}.template.json").read_text())
        return template


def local_context(changes: Mapping[str, str]) -> dict[str, object]:
    """`cdk.json`'s settings with those that a local AWS needs, and with `changes`."""
    settings: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {**settings, **LOCAL_CONTEXT, **changes}


def data_stack_name(context: Mapping[str, object]) -> str:
    """The name of the stack that keeps everything with a state."""
    return f"{context['name']}-{context['stage']}-data"


def data_assembly(processes: Processes, *, context: Mapping[str, object], env: Mapping[str, str]) -> Assembly:
    """The app synthesized for its data stack; layers, which that stack does not have, are not built."""
    context = {**context, "aws:cdk:bundling-stacks": [data_stack_name(context)]}
    made_from = [
        *(ROOT / name for name in ("app.py", "cdk.json", "infra")),
        *(GATEWAY_PACKAGE / "llm_gateway" / f"{name}.py" for name in MODULES),
    ]
    digest = fingerprint.fingerprint(*made_from, DEV_LOCK, json.dumps(context))
    assembly = Assembly(path=ASSEMBLIES / digest[:16])
    stamp = assembly.path / "stamp"
    if not fingerprint.is_current(stamp, digest):
        processes.run(
            "synth",
            [sys.executable, "app.py"],
            env={
                **env,
                "CDK_OUTDIR": str(assembly.path),
                "CDK_CONTEXT_JSON": json.dumps(context),
                "PATH": node.search_path(),
                "PYTHONPATH": f"{ROOT}:{GATEWAY_PACKAGE}",
            },
        )
        fingerprint.write(stamp, digest)
    return assembly
