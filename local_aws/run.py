"""`make run`: an emulator with the data stack, a model, the gateway in front of both, and a first question answered."""

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from local_aws import emulator, gateway, gateway_file, model, stack, summary, synthesis
from local_aws.api import Api
from local_aws.aws import LocalAws, given_aws
from local_aws.ports import LOOPBACK, free_port
from local_aws.processes import Process, Processes
from workshop.steps import Failure, Steps

PREFERRED_PORT: Final = 8080


def run(*, folder: Path, stay: bool) -> None:
    """Start everything, ask a question, and serve until a signal comes, or not at all if not `stay`."""
    steps = Steps()
    with (
        ThreadPoolExecutor() as pool,
        tempfile.TemporaryDirectory(prefix="llm-gateway-") as scratch,
        Processes(logs=folder / "logs") as processes,
    ):
        aws, own_emulator = find_or_start_aws(processes, scratch=Path(scratch))
        model_server = model.start(processes, aws=aws)
        provider = pool.submit(_provider, steps, model_server)
        variables = pool.submit(_deploy_data, steps, processes, aws, own_emulator).result()

        base_url = f"http://{LOOPBACK}:{free_port(PREFERRED_PORT)}"
        env = gateway.environment(aws, variables)
        server = gateway.serve(processes, port=int(base_url.rpartition(":")[2]), env=env)
        key = pool.submit(gateway.create_admin_key, processes, env=env)
        with steps.step("Gateway") as step:
            step.detail = base_url
            gateway.wait_for(server, base_url=base_url)
        api = Api(base_url=base_url, key=key.result())
        with steps.step("First question"):
            answer = _first_answer(api, server, provider.result())
        with gateway_file.written(
            folder / "gateway.json", base_url=base_url, api_key=api.key, aws_endpoint_url=aws.url
        ):
            steps.say(summary.text(base_url=base_url, key=api.key, answer=answer, aws_url=aws.url))
            if stay:
                processes.wait_for_end()


def find_or_start_aws(processes: Processes, *, scratch: Path) -> tuple[LocalAws, Process | None]:
    """The emulator that the environment names, or a fresh one that is starting."""
    given = given_aws()
    if given is None:
        return emulator.start(processes, scratch=scratch)
    emulator.require(given)
    return given, None


def _first_answer(api: Api, server: Process, provider: dict[str, Any]) -> dict[str, Any]:
    try:
        api.create_or_replace_provider(provider)
        return api.ask(summary.query(summary.QUESTION))
    except Failure as failure:
        raise server.failure(str(failure)) from failure


def _provider(steps: Steps, model_server: Process) -> dict[str, Any]:
    with steps.step("Local model") as step:
        url = model.wait_for(model_server)
        provider = model.as_provider(url)
        step.detail = f"{provider['default_model']}, {url}"
    return provider


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
