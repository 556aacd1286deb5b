"""A hundred queries at once, on the plain process and on the deployed app, against a provider that takes 200 ms."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench import data, load
from bench.upstream import DELAY_S
from local_aws import deploy, emulator, gateway
from local_aws.api import Api
from local_aws.ports import LOOPBACK, free_port
from local_aws.processes import Processes
from workshop.steps import Steps

CONNECTIONS: Final = 100
WARM_UP: Final = 20
PREFERRED_PORT: Final = 8100


@contextmanager
def plain_process(scratch: Path) -> Iterator[Api]:
    """`python -m functions`, its provider registered, over an emulator's DynamoDB."""
    with Processes(logs=scratch / "logs") as processes:
        aws, variables = data.deployed(processes, scratch=scratch)
        env, port = gateway.environment(aws, variables), free_port(PREFERRED_PORT)
        server = gateway.serve(processes, port=port, env=env)
        api = Api(base_url=f"http://{LOOPBACK}:{port}", key=gateway.create_admin_key(processes, env=env))
        gateway.wait_for(server, base_url=api.base_url)
        _register(processes, api)
        yield api


@contextmanager
def deployed_app(scratch: Path) -> Iterator[Api]:
    """API Gateway and Lambdas on an emulator, deployed by the CDK command line."""
    with Processes(logs=scratch / "logs-deployed") as processes:
        aws, process = emulator.start(processes, scratch=scratch)
        emulator.wait_for(aws, process)
        deployed = deploy.deploy_all(Steps(), processes, aws=aws, context={})
        key = gateway.create_admin_key(processes, env=gateway.environment(aws, deployed.variables))
        api = Api(base_url=deployed.base_url, key=key)
        _register(processes, api)
        yield api


def burst(api: Api, *, rounds: int) -> load.Load:
    """All at the same moment: what the last of them waits for is the work of all."""
    _warm_up(api)
    return load.at_once(api.base_url, api.key, connections=CONNECTIONS, rounds=rounds)


def steady(api: Api, *, per_second: float, queries: int) -> load.Load:
    """As they come from independent callers."""
    _warm_up(api)
    return load.arriving(api.base_url, api.key, connections=CONNECTIONS, per_second=per_second, queries=queries)


def _warm_up(api: Api) -> None:
    load.at_once(api.base_url, api.key, connections=WARM_UP, rounds=1)


def _register(processes: Processes, api: Api) -> None:
    port = free_port(PREFERRED_PORT)
    processes.start("upstream", [sys.executable, "-m", "bench.upstream", str(port)], env=os.environ)
    api.create_or_replace_provider(
        {
            "id": "bench",
            "name": f"Answers after {DELAY_S * 1000:.0f} ms",
            "kind": "openai_compatible",
            "base_url": f"http://{LOOPBACK}:{port}/v1",
            "default_model": "bench",
        }
    )
