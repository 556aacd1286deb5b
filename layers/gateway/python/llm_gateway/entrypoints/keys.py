"""The command line for keys: `python -m llm_gateway.entrypoints.keys create --role admin --name ops`."""

import argparse
import json
import sys

from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.composition import gateway
from llm_gateway.errors import GatewayError


def main() -> int:
    """Creates a key in the deployed table and prints it as JSON; its secret is shown this once."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.keys", description=main.__doc__)
    create = parser.add_subparsers(required=True).add_parser("create", help="make a new key")
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.add_argument("--name", required=True)
    chosen = parser.parse_args()
    try:
        key, secret = gateway().keys.create(name=chosen.name, role=Role(chosen.role))
    except GatewayError as error:
        sys.stderr.write(f"{error.title}: {error.detail}\n")
        return 1
    sys.stdout.write(json.dumps({"id": key.id, "name": key.name, "role": key.role, "secret": secret}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
