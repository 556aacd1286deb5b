"""YAML files: prompts, suites and deployments that live in a repository."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class FileBroken(Exception):
    """A file that does not say what it should; the message names the file, the place and what is wrong."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")


class _Loader(yaml.SafeLoader):
    """Times stay texts, and a name that is there twice is told instead of the last one winning."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as its base has it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are written as such."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - nothing is written by reference
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def read(path: Path) -> dict[str, Any]:
    """The mapping that a file holds. Raises FileBroken."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise FileBroken(path, f"cannot be read: {reason}.") from error
    return parse(text, path)


def parse(text: str, path: Path) -> dict[str, Any]:
    """The mapping that `text` is, which came from `path`. Raises FileBroken."""
    try:
        told = yaml.load(text, _Loader)  # noqa: S506 - a safe loader's kind
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise FileBroken(path, f"is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(told, dict) or not all(isinstance(name, str) for name in told):
        raise FileBroken(path, "has to hold names and values, such as `id: greeting`.")
    return told


def write(value: Any) -> str:
    """`value` as YAML."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
