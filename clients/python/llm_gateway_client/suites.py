"""Prompts as files, `greeting.prompt.yaml`: what they hold, how they differ from the gateway's, and how their tests are run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from llm_gateway_client.answers import PromptConfig, TestRun
from llm_gateway_client.errors import PromptNotFound, RunUnfinished
from llm_gateway_client.files import FileBroken, read
from llm_gateway_client.polling import ended
from llm_gateway_client.requests import TestRunCreate
from llm_gateway_client.synchronous.client import GatewayClient

SUFFIX: Final = ".prompt.yaml"
_OF_A_FILE: Final = (
    "id", "kind", "name", "description", "category", "tags", "template", "defaults", "output", "tests", "pii", "cache_ttl_s",
    "log_bodies",
)  # fmt: skip
_VERBATIM: Final = ("schema", "tests")
_NOTHING: Final[tuple[Any, ...]] = ([], {}, "")
_MOST_AT_ONCE: Final = 20
LONGEST_RUN_S: Final = 3600.0


def read_prompt(path: Path) -> dict[str, Any]:
    """The prompt in a file, as the API takes it; its id is the file's name where it has none. Raises FileBroken."""
    prompt = read(path)
    unknown = sorted(prompt.keys() - {*_OF_A_FILE, "commit_message"})
    if unknown:
        raise FileBroken(path, f"{', '.join(unknown)}: a prompt has no such member; it has {', '.join(_OF_A_FILE)}.")
    prompt.setdefault("id", path.name.removesuffix(SUFFIX).removesuffix(".yaml"))
    if not isinstance(prompt["id"], str):
        raise FileBroken(path, "id: has to be a text.")
    prompt.setdefault("name", prompt["id"])
    return prompt


def as_file(prompt: PromptConfig) -> dict[str, Any]:
    """What a file of a prompt holds: what can be said of it, without what is there by itself."""
    told = _normal(prompt.model_dump(mode="json"))
    return {name: told[name] for name in _OF_A_FILE if name in told}


def changes(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """The members of a prompt in which a file and the gateway differ; what the gateway fills in by itself is no difference."""
    mine, theirs = _normal(wanted), _normal(stored)
    return [name for name in _OF_A_FILE if not _same(mine.get(name), theirs.get(name))]


def pushed(client: GatewayClient, prompt: Mapping[str, Any], *, message: str | None = None) -> PromptConfig:
    """The prompt as the gateway has it after `prompt` was written there: a new version where its text has changed."""
    body = {**prompt} | ({"commit_message": message} if message else {})
    stored = find(client, str(prompt["id"]))
    if stored is None or (stored.built_in and prompt.get("kind", "prompt") == "role"):
        return client.prompts.create(**cast("Any", body))
    body.pop("kind", None)
    return client.prompts.update(stored.id, body, if_match=stored.revision)


def find(client: GatewayClient, prompt_id: str) -> PromptConfig | None:
    """The prompt, or None where there is none."""
    try:
        return client.prompts.get(prompt_id)
    except PromptNotFound:
        return None


def run(
    client: GatewayClient,
    prompt_id: str,
    *,
    version: int | None = None,
    label: str | None = None,
    candidates: Sequence[str] = (),
    repeat: int = 1,
    only: Sequence[str] = (),
    tests: int,
    timeout_s: float = LONGEST_RUN_S,
    tell: Callable[[TestRun], None] = lambda _: None,
) -> TestRun:
    """A run of the prompt's tests to its end: at once where it is small, else by the queue. `tell` hears how far it is.

    Raises RunUnfinished after `timeout_s`; the run goes on then, and `wait` can wait for it.
    """
    asked: TestRunCreate = {"repeat": repeat}
    if version is not None:
        asked["version"] = version
    if label is not None:
        asked["label"] = label
    if candidates:
        asked["candidates"] = list(candidates)
    if only:
        asked["only"] = list(only)
    calls = (len(only) or tests) * repeat * max(len(candidates), 1)
    # Judges are calls too, and how many there are is the gateway's business: half of what it takes at once is left to them.
    if calls > _MOST_AT_ONCE // 2:
        asked["mode"] = "async"
    return wait(client, client.prompts.run_tests(prompt_id, **asked), timeout_s=timeout_s, tell=tell)


def wait(
    client: GatewayClient,
    run: TestRun,
    *,
    timeout_s: float = LONGEST_RUN_S,
    tell: Callable[[TestRun], None] = lambda _: None,
) -> TestRun:
    """A run that was begun, at its end. Raises RunUnfinished after `timeout_s`."""
    return ended(
        run,
        lambda: client.prompts.test_run(run.prompt_id, run.run_id),
        timeout_s=timeout_s,
        unfinished=lambda why: RunUnfinished(
            f"The run {run.run_id} of {run.prompt_id} {why}", prompt_id=run.prompt_id, run_id=run.run_id
        ),
        tell=tell,
    )


def _normal(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """A prompt without all that says nothing: what is null or empty, and what is so anyway."""
    told = _plain({name: prompt.get(name) for name in _OF_A_FILE})
    return {name: value for name, value in told.items() if value not in ("prompt", {"type": "text"})}


def _plain(value: Any) -> Any:
    """`value` without members that say nothing; schemas and tests are kept word for word, since every one of theirs may count."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {name: each if name in _VERBATIM else _plain(each) for name, each in value.items()}
    if plain.get("required") is (plain.get("default") is None):
        del plain["required"]
    return {name: each for name, each in plain.items() if each is not None and each not in _NOTHING}


def _same(wanted: Any, stored: Any) -> bool:
    """Whether both are the same JSON value: 1 is 1.0, and is not true."""
    if isinstance(wanted, list) and isinstance(stored, list):
        return len(wanted) == len(stored) and all(map(_same, wanted, stored))
    if isinstance(wanted, dict) and isinstance(stored, dict):
        return wanted.keys() == stored.keys() and all(_same(value, stored[name]) for name, value in wanted.items())
    return bool(wanted == stored) and isinstance(wanted, bool) == isinstance(stored, bool)
