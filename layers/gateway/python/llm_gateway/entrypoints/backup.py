"""The command line for backups: `python -m llm_gateway.entrypoints.backup export FILE`, and `import FILE`."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from llm_gateway.bootstrap import Gateway
from llm_gateway.entrypoints.composition import gateway_at_start
from llm_gateway.entrypoints.stack_outputs import add_stack_argument, adopt
from llm_gateway.errors import GatewayError
from llm_gateway.services.backups import KEYS, MOST_LINE_CHARACTERS, NotABackup, checked

_VARIABLES: Final = ("keys_table", "providers_table", "prompts_table", "audit_table")


def gateway_with_tables() -> Gateway:
    """The gateway of this process, or its end: with the variables that are not set."""
    gateway = gateway_at_start()
    missing = [name.upper() for name in _VARIABLES if not getattr(gateway.settings, name)]
    if missing:
        raise SystemExit(
            f"Not set: {', '.join(missing)}. Name the deployment's data stack with --stack, or set them to its outputs."
        )
    return gateway


def main(arguments: Sequence[str] | None = None, *, gateway: Callable[[], Gateway] = gateway_with_tables) -> int:
    """Writes keys, providers and prompts to a file, and puts them back. It has no secrets in it: see docs/recovery.md."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.backup", description=main.__doc__)
    add_stack_argument(parser)
    parser.add_argument(
        "--table",
        type=_other_table,
        action="append",
        default=[],
        metavar="KIND=NAME",
        help=f"another table instead of the deployment's, of one of {', '.join(KEYS)}; may be given several times",
    )
    commands = parser.add_subparsers(required=True)
    for name, command, tells in (
        ("export", _export, "write a new file, which its owner alone may read"),
        ("import", _import, "put back what is not there; nothing that is there is changed"),
        ("check", _check, "say what a file has, and whether it is whole; AWS is not asked"),
    ):
        one = commands.add_parser(name, help=tells)
        one.set_defaults(command=command)
        one.add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    adopt(chosen.stack, {f"{kind.upper()}_TABLE": table for kind, table in chosen.table})
    try:
        sys.stdout.write(json.dumps(chosen.command(gateway, chosen.file)) + "\n")
    except GatewayError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n")
    except (NotABackup, UnicodeDecodeError) as wrong:
        sys.stderr.write(f"{chosen.file}: {wrong}\nNothing was written.\n")
    except OSError as fault:
        sys.stderr.write(f"{chosen.file}: {fault.strerror}\n")
    else:
        return 0
    return 1


def _other_table(text: str) -> tuple[str, str]:
    kind, _, table = text.partition("=")
    if kind not in KEYS or not table:
        raise argparse.ArgumentTypeError(f"one of {', '.join(KEYS)}, an equals sign and a table's name, not {text!r}")
    return kind, table


def _export(gateway: Callable[[], Gateway], path: Path) -> dict[str, Any]:
    backups = gateway().backups
    # A file that is there is somebody's backup: it is not written over.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        try:
            file.writelines(f"{line}\n" for line in backups.written())
        except BaseException:
            path.unlink()
            raise
    return _check(gateway, path)


def _import(gateway: Callable[[], Gateway], path: Path) -> dict[str, Any]:
    restored = gateway().backups.restore(lambda: _lines(path))
    return {"imported": dict(restored.put), "already_there": dict(restored.kept)}


def _check(_: Callable[[], Gateway], path: Path) -> dict[str, Any]:
    contents = checked(_lines(path))
    return {"made_at": contents.made_at, "items": dict(contents.counts), "sha256": contents.sha256}


def _lines(path: Path) -> Iterator[str]:
    with path.open() as file:
        while line := file.readline(MOST_LINE_CHARACTERS + 2):
            yield line


if __name__ == "__main__":
    sys.exit(main())
