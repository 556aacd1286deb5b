"""Runs a function as a process of this machine: Lambda's own runtime client against a Runtime API of its own.

LocalStack decides when an environment starts and ends and what it is asked; an environment is one process. Its own executor
has a container for each, and mounts layers in its paid edition alone.
"""

import json
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from local_aws.runtime_api import Function, InitFailed, InvocationFailed, running

_LOOPBACK = "127.0.0.1"
# Of what LocalStack tells a function, this is a container's.
_OF_A_CONTAINER = ("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR")
_merging = threading.Lock()


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Chosen by `LAMBDA_RUNTIME_EXECUTOR=process`."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type[RuntimeExecutor]:
        """The executor's class."""
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):
    """One environment of one version of a function."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002 - the base's name for it
        super().__init__(id=id, function_version=function_version)
        self._running = ExitStack()
        self._function: Function | None = None
        self._environment: dict[str, str] = {}

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzip the function's code and its layers' files."""
        if function_version.config.code is None:
            raise NotImplementedError("A function of an image needs Docker.")
        function_version.config.code.prepare_for_execution()
        _mounted(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Leave the files: they are gone with LocalStack's own directory."""

    def start(self, env_vars: dict[str, Any]) -> None:
        """Start the process and wait until its handler is loaded."""
        opt = _mounted(self.function_version)
        told = {name: str(value) for name, value in env_vars.items() if name not in _OF_A_CONTAINER}
        self._environment = {
            name: value.replace("/opt", str(opt), 1) if value.startswith("/opt/") else value
            for name, value in told.items()
        }
        try:
            self._enter()
        except InitFailed as failed:
            raise StatusErrorException("The function could not be loaded.", payload=str(failed).encode()) from failed

    def stop(self) -> None:
        """End the process."""
        self._function = None
        self._running.close()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Have the process answer, in a new one where the last one is over."""
        request_id, timeout_s = payload["invoke-id"], self.function_version.config.timeout
        function = self._function or self._enter()
        seen, started_at = function.log.stat().st_size, time.monotonic()
        failed = True
        try:
            result = function.invoke_raw(payload["payload"].encode(), request_id=request_id, timeout_s=timeout_s)
            failed = False
        except InvocationFailed as failure:
            result = str(failure).encode()
            if not result.startswith(b"{"):  # The process is gone, and has reported nothing.
                result = self._given_up("Runtime.ExitError", str(failure).partition("\n")[0], request_id)
        except TimeoutError:
            result = self._given_up("Sandbox.Timedout", f"Task timed out after {timeout_s:.2f} seconds", request_id)
        ms = (time.monotonic() - started_at) * 1000
        logs = _told(function, seen, request_id=request_id, ms=ms)
        return InvocationResult(request_id, result, is_error=failed, logs=logs)

    def get_address(self) -> str:
        """Where the function is, as LocalStack sees it."""
        return _LOOPBACK

    def get_endpoint_from_executor(self) -> str:
        """Where LocalStack is, as the function sees it."""
        return _LOOPBACK

    def get_runtime_endpoint(self) -> str:
        """What LocalStack's own program in a container would call; nothing does here."""
        return f"http://{_LOOPBACK}:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    def get_logs(self) -> str:
        """All that the process has printed."""
        return self._function.log.read_text(errors="replace") if self._function else ""

    def _enter(self) -> Function:
        version = self.function_version
        task, opt = Path(version.config.code.get_unzipped_code_location()), _mounted(version)
        scratch = Path(self._running.enter_context(tempfile.TemporaryDirectory(prefix="function-")))
        self._function = self._running.enter_context(
            running(version.config.handler, path=[task, opt / "python"], scratch=scratch, environment=self._environment)
        )
        return self._function

    def _given_up(self, kind: str, message: str, request_id: str) -> bytes:
        self.stop()
        return json.dumps({"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}).encode()


def _mounted(version: FunctionVersion) -> Path:
    """What would be /opt: the files of all layers, those of a later one over those of an earlier one."""
    names = "-".join(str(layer.code.id) for layer in version.config.layers) or "none"
    directory = Path(config.dirs.tmp) / "opt" / names
    with _merging:
        if not directory.is_dir():
            partial = directory.with_name(f"{names}.part")
            partial.mkdir(parents=True)
            for layer in version.config.layers:
                layer.code.prepare_for_execution()
                shutil.copytree(layer.code.get_unzipped_code_location(), partial, dirs_exist_ok=True)
            partial.rename(directory)
    return directory


def _told(function: Function, seen: int, *, request_id: str, ms: float) -> str:
    """The lines of one invocation as Lambda writes them to the log."""
    with function.log.open("rb") as log:
        log.seek(seen)
        lines = log.read().decode(errors="replace").splitlines()
    report = f"REPORT RequestId: {request_id}\tDuration: {ms:.2f} ms\tBilled Duration: {int(ms) + 1} ms"
    return "\n".join(
        [f"START RequestId: {request_id} Version: $LATEST", *lines, f"END RequestId: {request_id}", report]
    )
