"""cfn-lint over templates: what CloudFormation would refuse, and what AWS does where a template says nothing."""

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from workshop.places import ROOT

# Where templates are noted that had no finding, so that the same one is not looked at again.
CLEAN: Final = ROOT / ".cache" / "linted"
REGION: Final = "us-east-1"
# Findings of a rule that are right everywhere in templates that CDK writes.
EXPLAINED: Final = {
    "I1022": "How CDK joins text makes no difference.",
    "W3005": "CDK makes a function wait for all that its role has, even where it refers to the role.",
}


def check(name: str, template: dict[str, Any]) -> None:
    """Raises AssertionError with all findings that nobody has explained."""
    if is_clean(template):
        return
    text = _text(template)
    found = [f"{rule} at {place}: {said}" for rule, place, said in findings(text) if rule not in EXPLAINED]
    assert not found, f"cfn-lint on {name}:\n" + "\n".join(found)
    CLEAN.mkdir(parents=True, exist_ok=True)
    _stamp(text).touch()


def is_clean(template: dict[str, Any]) -> bool:
    """Whether it is noted that nothing was found in it."""
    return _stamp(_text(template)).exists()


def _text(template: dict[str, Any]) -> str:
    return json.dumps(template, sort_keys=True)


def _stamp(text: str) -> Path:
    made_of = (version("cfn-lint"), REGION, *EXPLAINED, text)
    return CLEAN / hashlib.sha256("\0".join(made_of).encode()).hexdigest()


@cache
def findings(text: str) -> list[tuple[str, str, str]]:
    """Rule, place and message of each finding in a template, however small."""
    from cfnlint.decode import decode_str

    template, faults = decode_str(text)
    matches = [*faults, *_linter().validate_template(template or {})]
    return [(match.rule.id, "/".join(map(str, match.path or ())), match.message) for match in matches]


@cache
def _linter() -> Any:
    """Made once: to read its rules takes longer than a small template."""
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    return Runner(ConfigMixIn(regions=[REGION], include_checks=["I"]))
