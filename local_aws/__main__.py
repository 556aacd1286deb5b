"""`python -m local_aws run` and `python -m local_aws deploy`; signals end both cleanly."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local_aws import tether
from workshop.places import ROOT
from workshop.steps import Failure

_LAST_PORT = 65_535


class Stopped(BaseException):
    """A signal asked for the end."""


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a handler's signature
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # The way out is not to be interrupted; it takes seconds at most.
    print("\nStopping…", flush=True)
    raise Stopped


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local_aws", description=__doc__)
    parser.add_argument("verb", choices=("run", "deploy"))
    parser.add_argument("--folder", type=Path, default=ROOT / ".local", help="where gateway.json and the logs go")
    parser.add_argument(
        "--port", type=_port, help="with run: where the gateway listens; else 8080, or another if that is taken"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="with run: forget the providers, prompts and keys of earlier runs"
    )
    parser.add_argument("--exit-when-ready", action="store_true", help="stop again once all works")
    parser.add_argument(
        *("-c", "--context"),
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="with deploy: a CDK setting",
    )
    arguments = parser.parse_args()
    if arguments.verb == "deploy" and (arguments.port is not None or arguments.fresh):
        parser.error(
            "--port and --fresh are for `run`: a deployment's API has an address of its own, and begins with nothing"
        )
    if arguments.verb == "run" and arguments.context:
        parser.error("--context is for `deploy`")
    return arguments


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: say a number from 1 to {_LAST_PORT}")
    return int(text)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def main() -> int:
    """The exit status: 0 when all went well until a signal came, 1 when something did not."""
    arguments = _arguments()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    if "MAKELEVEL" in os.environ:  # A make that is killed is to leave nothing behind.
        tether.end_with_parent()
    folder, stay = arguments.folder.resolve(), not arguments.exit_when_ready
    try:
        # Imported once signals are minded: it takes long enough for one to come.
        if arguments.verb == "run":
            from local_aws.run import run

            run(folder=folder, stay=stay, port=arguments.port, fresh=arguments.fresh)
        else:
            from local_aws.deploy import deploy_local

            deploy_local(folder=folder, stay=stay, context=dict(arguments.context))
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except Stopped:
        print("Stopped.")
    return 0


sys.exit(main())
