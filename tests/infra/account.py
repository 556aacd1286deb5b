"""An account as far as CloudFormation ties stacks to each other: who exports what, who imports it, and what that forbids.

Emulators take an update that CloudFormation refuses, so they cannot tell whether a setting can be switched.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.infra.deployments import Deployed

_IMPORTS = re.compile(r'"Fn::ImportValue": "([^"]+)"')


class Refused(Exception):
    """What CloudFormation would roll back, in its own words."""


@dataclass
class Account:
    """The templates of the stacks that are there, by the stacks' names."""

    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def deploy(self, deployment: Deployed) -> None:
        """Every stack of the app, those first that others depend on, as `cdk deploy --all` does. Raises Refused."""
        for name in _in_order(_dependencies(deployment)):
            self._update(name, json.loads((deployment.output / f"{name}.template.json").read_text()))

    def destroy(self, name: str) -> None:
        """Raises Refused."""
        self._release(name, _exports(self.stacks[name]))
        del self.stacks[name]

    def _update(self, name: str, template: dict[str, Any]) -> None:
        for imported in _imports(template):
            if imported not in {export for stack in self.stacks.values() for export in _exports(stack)}:
                raise Refused(f"{name}: No export named {imported} found")
        self._release(name, _exports(self.stacks.get(name, {})) - _exports(template))
        self.stacks[name] = template

    def _release(self, name: str, exports: set[str]) -> None:
        for other, template in self.stacks.items():
            if other != name and (held := exports & _imports(template)):
                raise Refused(f"{name}: Export {min(held)} cannot be deleted as it is in use by {other}")


def _exports(template: dict[str, Any]) -> set[str]:
    outputs = template.get("Outputs", {}).values()
    return {output["Export"]["Name"] for output in outputs if "Export" in output}


def _imports(template: dict[str, Any]) -> set[str]:
    return set(_IMPORTS.findall(json.dumps(template)))


def _dependencies(deployment: Deployed) -> dict[str, set[str]]:
    manifest = json.loads((deployment.output / "manifest.json").read_text())
    stacks = {
        name: artifact
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    return {name: set(artifact.get("dependencies", ())) & stacks.keys() for name, artifact in stacks.items()}


def _in_order(dependencies: dict[str, set[str]]) -> list[str]:
    done: list[str] = []
    while len(done) < len(dependencies):
        done += [name for name in sorted(dependencies) if name not in done and dependencies[name] <= set(done)]
    return done
