"""Every endpoint on one local port: `python -m functions --port 8080`."""

import argparse
from importlib import import_module

from llm_gateway.endpoints import ENDPOINTS
from llm_gateway.entrypoints.http import Mounted
from llm_gateway.entrypoints.server import openapi_json, serve


def every_endpoint() -> list[Mounted]:
    """The table's rows, each with the handler from the file of its name."""
    return [getattr(import_module(f"functions.{row.name}"), row.name) for row in ENDPOINTS]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m functions", description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=8080)
    arguments.add_argument("--print-openapi", action="store_true", help="print the API's document and stop")
    chosen = arguments.parse_args()
    if chosen.print_openapi:
        print(openapi_json(every_endpoint()), end="")
    else:
        serve(every_endpoint(), host=chosen.host, port=chosen.port)


if __name__ == "__main__":
    main()
