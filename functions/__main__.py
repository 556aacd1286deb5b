"""Every endpoint on one local port, or with `--worker` what queues and clocks start: `python -m functions --port 8080`."""

import argparse
from functools import partial
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from llm_gateway.endpoints import ENDPOINTS, SCHEDULES, WORKERS
from llm_gateway.entrypoints.composition import gateway_at_start
from llm_gateway.entrypoints.http import Mounted
from llm_gateway.entrypoints.openapi import openapi_json
from llm_gateway.entrypoints.poller import poll
from llm_gateway.entrypoints.schedules import run_schedules
from llm_gateway.entrypoints.server import keep_what_is_there, local_app, serve


def every_endpoint() -> list[Mounted]:
    """The table's rows, each with the handler from the file of its name."""
    return [_declared_in_its_file(row.name) for row in ENDPOINTS]


def every_worker() -> dict[str, Any]:
    """The queues' handlers by name."""
    return {row.name: _declared_in_its_file(row.name) for row in WORKERS}


def every_schedule() -> dict[str, Any]:
    """What runs by the clock, by name."""
    return {row.name: _declared_in_its_file(row.name) for row in SCHEDULES}


def _declared_in_its_file(name: str) -> Any:
    return getattr(import_module(f"functions.{name}"), name)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m functions", description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=8080)
    arguments.add_argument("--processes", type=_processes, default=4, help="how many serve the port (4)")
    arguments.add_argument("--worker", action="store_true", help="work on queued queries instead of serving")
    arguments.add_argument("--print-openapi", action="store_true", help="print the API's document and stop")
    chosen = arguments.parse_args()
    if chosen.print_openapi:
        print(openapi_json(every_endpoint()), end="")
        return
    gateway = gateway_at_start()
    if chosen.worker:
        run_schedules(every_schedule())
        keep_what_is_there()
        poll(every_worker(), gateway.settings)
    else:
        serve(partial(served_on, chosen.host), host=chosen.host, port=chosen.port, processes=chosen.processes)


def served_on(host: str) -> FastAPI:
    """The app of one process."""
    app = local_app(every_endpoint(), host=host)
    keep_what_is_there()
    return app


def _processes(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("must be from 1 to 64")
    return number


if __name__ == "__main__":
    # By this name, and not by `__main__`, the processes that are started find what they are to serve.
    import_module("functions.__main__").main()
