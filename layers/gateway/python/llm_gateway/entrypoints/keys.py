"""The command line for keys: `python -m llm_gateway.entrypoints.keys create --role admin --name ops`."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.audit.entries import COMMAND_LINE, Author
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.composition import gateway_at_start
from llm_gateway.entrypoints.stack_outputs import add_stack_argument, adopt
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import GatewayError
from llm_gateway.wire.keys import KeyBody, KeyIssued, KeyShown

Said = dict[str, Any]

_PAGE: Final = 100
_MOST_DAYS: Final = 36_500
_DAYS: Final = re.compile(r"([1-9][0-9]*)d")


def gateway_with_keys() -> Gateway:
    """The gateway of this process, or its end: with the variables that are not set."""
    gateway = gateway_at_start()
    settings = gateway.settings
    needed = {
        "KEYS_TABLE": settings.keys_table,
        "LIMITS_TABLE": settings.limits_table,
        "AUDIT_TABLE": settings.audit_table,
        "PEPPER_SECRET_ID": settings.pepper_secret_id,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SystemExit(
            f"Not set: {', '.join(missing)}. Name the deployment's data stack with --stack, or set them to its outputs."
        )
    return gateway


def main(arguments: Sequence[str] | None = None, *, gateway: Callable[[], Gateway] = gateway_with_keys) -> int:
    """Manages the keys of a deployment: each key is printed as one line of JSON."""
    chosen = _parser().parse_args(arguments)
    adopt(chosen.stack)
    try:
        for said in chosen.command(gateway(), chosen):
            sys.stdout.write(json.dumps(said) + "\n")
    except GatewayError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.keys", description=main.__doc__)
    add_stack_argument(parser)
    commands = parser.add_subparsers(required=True)
    create = commands.add_parser("create", help="make a new key; its secrets are shown this once")
    create.set_defaults(command=_create)
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.add_argument("--name", required=True)
    create.add_argument(
        "--tag", action="append", default=[], help="usage is summed up for it; may be given several times"
    )
    create.add_argument(
        "--expires",
        type=_end,
        metavar="WHEN",
        help="in so many days (90d), or a time such as 2027-01-31T00:00:00Z; without it never",
    )
    create.add_argument(
        "--log-bodies",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="the share of its queries, 0 to 1, whose question and answer go to the log, redacted; without it none do",
    )
    commands.add_parser("list", help="print every key").set_defaults(command=_list)
    revoke = commands.add_parser("revoke", help="end a key: its next request is refused")
    revoke.set_defaults(command=_revoke)
    revoke.add_argument("id", metavar="ID", help="the key's id, such as key_01KAQ0XN00B3W8Z5V6T7R8S9QA")
    return parser


def _create(gateway: Gateway, chosen: argparse.Namespace) -> Iterator[Said]:
    said: Said = {"name": chosen.name, "role": chosen.role, "tags": chosen.tag, "log_bodies": chosen.log_bodies}
    if chosen.expires:
        said["expires_at"] = chosen.expires(gateway.outside.clock.now())
    yield _said(
        KeyIssued.of_issued(
            gateway.key_changes.create(validated(KeyBody, said).to_domain(), by=_at_a_shell("key.created"))
        )
    )


def _list(gateway: Gateway, _: argparse.Namespace) -> Iterator[Said]:
    cursor: str | None = None
    while True:
        page = gateway.keys.page(limit=_PAGE, cursor=cursor)
        yield from (_said(KeyShown.of(view)) for view in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


def _revoke(gateway: Gateway, chosen: argparse.Namespace) -> Iterator[Said]:
    gateway.key_changes.revoke(chosen.id, expected=None, by=_at_a_shell("key.revoked"))
    yield _said(KeyShown.of(gateway.keys.get(chosen.id)))


def _at_a_shell(action: str) -> Author:
    return Author(actor=COMMAND_LINE, action=action)


def _said(shown: KeyShown) -> Said:
    return shown.model_dump(mode="json")


def _end(text: str) -> Callable[[datetime], datetime]:
    """When a key ends that is made at a time. Raises ArgumentTypeError for what is neither days nor a time."""
    days = _DAYS.fullmatch(text)
    if days is not None and len(days[1]) <= len(str(_MOST_DAYS)) and int(days[1]) <= _MOST_DAYS:
        duration = timedelta(days=int(days[1]))
        return lambda now: now + duration
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        end = datetime.min
    if end.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no end: say 90d, or a time such as 2027-01-31T00:00:00Z")
    return lambda _: end


def _share(text: str) -> float:
    """Raises ArgumentTypeError for what is no number from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1
    # Not a number is in no order with any.
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: say a number from 0 to 1, such as 0.1")
    return share


if __name__ == "__main__":
    sys.exit(main())
