"""The command line for keys: `python -m llm_gateway.entrypoints.keys create --role admin --name ops`."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.composition import gateway_at_start
from llm_gateway.errors import GatewayError


def gateway_with_keys() -> Gateway:
    """The gateway of this process, or its end: with the variables that are not set."""
    gateway = gateway_at_start()
    needed = {"KEYS_TABLE": gateway.settings.keys_table, "PEPPER_SECRET_ID": gateway.settings.pepper_secret_id}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SystemExit(f"Not set: {', '.join(missing)}. The data stack's outputs say what to set them to.")
    return gateway


def main(arguments: Sequence[str] | None = None, *, gateway: Callable[[], Gateway] = gateway_with_keys) -> int:
    """Creates a key in the deployed table and prints it as JSON; its secret is shown this once."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.keys", description=main.__doc__)
    create = parser.add_subparsers(required=True).add_parser("create", help="make a new key")
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.add_argument("--name", required=True)
    create.add_argument(
        "--log-bodies",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="the share of its queries, 0 to 1, whose question and answer go to the log, redacted; without it none do",
    )
    chosen = parser.parse_args(arguments)
    try:
        key, secret = gateway().keys.create(name=chosen.name, role=Role(chosen.role), log_bodies=chosen.log_bodies)
    except GatewayError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n")
        return 1
    shown = {"id": key.id, "name": key.name, "role": key.role, "log_bodies": key.log_bodies, "secret": secret}
    sys.stdout.write(json.dumps(shown) + "\n")
    return 0


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
