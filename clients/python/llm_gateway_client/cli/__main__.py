"""`llm-gateway`: runs a command, and ends with the exit status that tells how it went."""

import json
import sys
from collections.abc import Sequence

from llm_gateway_client.cli import statuses
from llm_gateway_client.cli.app import app
from llm_gateway_client.cli.session import Session, begin


def run(arguments: Sequence[str] | None = None) -> None:
    """Ends the process."""
    session = begin()
    try:
        app(args=arguments)
    except statuses.TOLD as error:
        _tell(session, error)
        sys.exit(statuses.status_of(error))
    except KeyboardInterrupt:
        sys.exit(statuses.INTERRUPTED)
    finally:
        session.close()


def _tell(session: Session, error: Exception) -> None:
    if session.as_json:
        sys.stderr.write(json.dumps(statuses.told(error)) + "\n")
        return
    first, *rest = statuses.lines_of(error)
    session.terminal.note(first, style="bold red")
    for line in rest:
        session.terminal.note(line, style=None)


if __name__ == "__main__":
    run()
