"""Starts ministack, an AWS emulator in one Python package, on loopback alone."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from local_aws.aws import LocalAws
from local_aws.kept import Kept
from local_aws.ports import LOOPBACK, free_port
from local_aws.processes import Process, Processes
from local_aws.synthesis import GATEWAY_PACKAGE
from workshop.places import ROOT
from workshop.steps import Failure

PREFERRED_PORT: Final = 4566
START_TIMEOUT_S: Final = 60.0
HEALTH_TIMEOUT_S: Final = 5.0
# Where it keeps nothing, there is nothing to wait for.
GRACE_S: Final = 0.2
KEEPING_GRACE_S: Final = 20.0


def start(
    processes: Processes, *, scratch: Path, certificate: Path | None = None, kept: Kept | None = None
) -> tuple[LocalAws, Process]:
    """Start an emulator whose state is gone with it, or is `kept` when it is asked to end.

    With a `certificate`, its key in the same file, it answers over https and refuses what a function's role does not allow:
    the one needs the other, because the bucket and the queues refuse everybody who comes by plain http.
    """
    port = free_port(PREFERRED_PORT)
    scheme = "https" if certificate else "http"
    aws = LocalAws(url=f"{scheme}://{LOOPBACK}:{port}", certificates=certificate).trusting_others(scratch=scratch)
    environment = aws.environment() | {
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": aws.region,
        "MINISTACK_HOST": LOOPBACK,
        "IOT_MTLS_ENABLED": "0",  # It would listen on every address of the machine.
        **_access(certificate),
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(scratch),
        **_state(kept, scratch),
        "PYTHONPATH": f"{ROOT}:{GATEWAY_PACKAGE}",
    }
    del environment["AWS_ENDPOINT_URL"]
    command = [sys.executable, "-m", "local_aws.emulator_process"]
    grace_s = KEEPING_GRACE_S if kept else GRACE_S
    return aws, processes.start("emulator", command, env=environment, grace_s=grace_s, ends_last=True)


def _state(kept: Kept | None, scratch: Path) -> dict[str, str]:
    if kept is None:
        return {"STATE_DIR": str(scratch / "state"), "S3_DATA_DIR": str(scratch / "s3")}
    return {
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": str(kept.services),
        "S3_DATA_DIR": str(kept.objects),
    }


def _access(certificate: Path | None) -> dict[str, str]:
    if certificate is None:
        return {"AUTH": "false", "USE_SSL": "0"}
    return {
        "AUTH": "true",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(certificate),
    }


def given_or_started(
    given: LocalAws | None, processes: Processes, *, scratch: Path, kept: Kept | None = None
) -> tuple[LocalAws, Process | None]:
    """The emulator that is there, or one that is starting. Raises Failure if the one that should be there is not."""
    if given is None:
        return start(processes, scratch=scratch, kept=kept)
    require(given)
    return given.trusting_others(scratch=scratch), None


def wait_for(aws: LocalAws, process: Process) -> None:
    """Wait until the emulator answers. Raises Failure if it ends, or takes too long."""
    process.wait_until(lambda: answers(aws), timeout_s=START_TIMEOUT_S)


def answers(aws: LocalAws) -> bool:
    """Whether an emulator answers there; ministack and LocalStack share the path."""
    try:
        with urllib.request.urlopen(  # noqa: S310 - on loopback
            f"{aws.url}/_localstack/health", timeout=HEALTH_TIMEOUT_S, context=aws.tls()
        ) as response:
            return isinstance(json.load(response), dict)
    except (OSError, ValueError):
        return False


def require(aws: LocalAws) -> None:
    """Raises Failure unless an emulator answers there."""
    if not answers(aws):
        raise Failure(
            f"No AWS emulator answers at {aws.url}. Start it, or unset AWS_ENDPOINT_URL and LOCALSTACK_HOST "
            "to have one started here."
        )
