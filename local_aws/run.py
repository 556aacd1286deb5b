"""`make run`: an emulator with the data stack, a model, the gateway in front of both, and a first question answered."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from layers.tokenizers.build import build as build_tokenizers
from local_aws import emulator, gateway, gateway_file, model, stack, summary, synthesis
from local_aws.api import Api
from local_aws.aws import LocalAws, given_aws
from local_aws.kept import Kept, kept_in
from local_aws.ports import LOOPBACK, free_port
from local_aws.processes import Process, Processes
from workshop.steps import Failure, Steps

PREFERRED_PORT: Final = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway that answers, and the processes that make it up."""

    api: Api
    aws: LocalAws
    variables: Mapping[str, str]
    processes: Processes
    server: Process
    model_server: Process


def run(*, folder: Path, stay: bool, port: int | None = None, fresh: bool = False) -> None:
    """Start everything, ask a question, and serve until a signal comes, or not at all if not `stay`.

    Raises Failure if `port` is wanted, and somebody else has it.
    """
    steps = Steps()
    if port is not None and free_port(port) != port:
        raise Failure(f"Port {port} is taken: end what listens there, or say another one with --port.")
    aws = given_aws()
    if aws is not None and fresh:
        raise Failure("--fresh is for the emulator that is started here: what AWS_ENDPOINT_URL names keeps its own.")
    with (
        kept_in(folder / "state", fresh=fresh) as kept,
        # One beside another leaves the other's files alone.
        started(
            steps,
            aws=aws,
            logs=(own := folder if kept else folder / "beside") / "logs",
            port=port,
            kept=kept if aws is None else None,
        ) as running,
    ):
        api, aws_url = running.api, running.aws.url
        with steps.step("First question"), _explained_by(running.server):
            answer = api.ask(summary.query(summary.QUESTION))
        with gateway_file.written(
            own / "gateway.json", base_url=api.base_url, api_key=api.key, aws_endpoint_url=aws_url
        ):
            steps.say(summary.text(base_url=api.base_url, key=api.key, answer=answer, aws_url=aws_url))
            if aws is None:
                steps.say(summary.KEPT if kept else summary.NOT_KEPT)
            if stay:
                steps.say(summary.END)
                running.processes.wait_for_end()


@contextmanager
def started(
    steps: Steps, *, aws: LocalAws | None, logs: Path, port: int | None = None, kept: Kept | None = None
) -> Iterator[Running]:
    """The gateway with the local model as its provider, on the emulator `aws` or on one of its own; stopped at the end.

    What its own emulator holds is `kept`, and there again from the run before.
    """
    with (
        ThreadPoolExecutor() as pool,
        tempfile.TemporaryDirectory(prefix="llm-gateway-") as scratch,
        Processes(logs=logs) as processes,
    ):
        # Processes start in this thread, because they end with the one that started them; the others wait for them.
        aws, own_emulator = emulator.given_or_started(aws, processes, scratch=Path(scratch), kept=kept)
        model_server = model.start(processes, aws=aws)
        provider = pool.submit(_provider, steps, model_server)
        rank_files = pool.submit(_rank_files, steps)
        variables = pool.submit(_deploy_data, steps, processes, aws, own_emulator).result()

        wanted = PREFERRED_PORT if port is None else port
        port = free_port(wanted)
        base_url = f"http://{LOOPBACK}:{port}"
        env = gateway.environment(aws, variables, rank_files=rank_files.result())
        server = gateway.serve(processes, port=port, env=env)
        earlier = kept.key() if kept else None
        key = None if earlier else pool.submit(gateway.create_admin_key, processes, env=env)
        with steps.step("Gateway") as step:
            step.detail = base_url if port == wanted else f"{base_url}, because port {wanted} is taken"
            gateway.wait_for(server, base_url=base_url)
        # Not before: starting takes a processor's time from what the first question waits for.
        gateway.work(processes, env=env)
        if earlier is None or not Api(base_url=base_url, key=earlier).is_let_in():
            earlier = key.result() if key else gateway.create_admin_key(processes, env=env)
        if kept:
            kept.keep_key(earlier)
        api = Api(base_url=base_url, key=earlier)
        local_model = provider.result()
        with steps.step("Local model as a provider"), _explained_by(server):
            api.create_or_replace_provider(local_model)
        yield Running(
            api=api, aws=aws, variables=variables, processes=processes, server=server, model_server=model_server
        )


def _provider(steps: Steps, model_server: Process) -> dict[str, Any]:
    with steps.step("Local model") as step:
        url = model.wait_for(model_server)
        provider = model.as_provider(url)
        step.detail = f"{provider['default_model']}, {url}"
    return provider


def _rank_files(steps: Steps) -> Path | None:
    with steps.step("Tokenizers") as step:
        try:
            return build_tokenizers() / "tiktoken"
        except (OSError, subprocess.CalledProcessError):
            step.detail = "not within reach, so tokens are estimated by bytes"
            return None


def _deploy_data(steps: Steps, processes: Processes, aws: LocalAws, own_emulator: Process | None) -> Mapping[str, str]:
    context = synthesis.local_context({})
    name = synthesis.data_stack_name(context)
    with steps.step("Data stack's template"):
        assembly = synthesis.data_assembly(processes, context=context, env=aws.environment())
    if own_emulator is not None:
        with steps.step("AWS emulator") as step:
            step.detail = aws.url
            emulator.wait_for(aws, own_emulator)
    with steps.step("Data stack") as step:
        step.detail = name
        outputs = stack.deploy(aws, name, assembly.template(name))
    return stack.as_variables(outputs)


@contextmanager
def _explained_by(server: Process) -> Iterator[None]:
    try:
        yield
    except Failure as failure:
        raise server.failure(str(failure)) from failure
