"""A query's whole life, or a request's, from the logs: `python -m llm_gateway.entrypoints.trace qry_…`."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from llm_gateway.domain.identifiers import ERASURE_PREFIX, QUERY_PREFIX, RUN_PREFIX, made_at_s

REQUEST_PREFIX: Final = "req_"
# What the queues' workers work on: a message is one of these ids.
_QUEUED: Final = (QUERY_PREFIX, RUN_PREFIX, ERASURE_PREFIX)
# What API Gateway calls a request.
_API_REQUEST: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOCAL_LOGS: Final = Path(".local/logs")
# A function's clock may be a little behind the one that made the id.
_EARLIER_S: Final = 900
_LONGEST_VALUE: Final = 200
# What every line has, or what is shown beside the rest.
_NOT_SHOWN: Final = frozenset(
    {
        *("_aws", "timestamp", "time", "level", "location", "service", "message", "kind"),
        *("request_id", "query_id", "api_request_id", "trace_id"),
    }
)
_TIME: Final = "%Y-%m-%d %H:%M:%S.%f"

Document = dict[str, Any]
Logs = Callable[[str], Iterator["Line"]]
"""All lines with these words in them, whatever they are about."""


class NotReadable(Exception):
    """The logs cannot be read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the log, and when it was written: in milliseconds since 1970."""

    at_ms: int
    document: Document

    @classmethod
    def read(cls, text: str, *, at_ms: int = 0) -> "Line | None":
        """None for what is no line of the gateway's own."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(document, dict):
            return None
        if is_api_request(document.get("request_id")):
            # API Gateway's own line, which has no name.
            document = {"message": "access", **document, "api_request_id": document["request_id"]}
            del document["request_id"]
        if not isinstance(document.get("message"), str):
            return None
        return cls(at_ms=_time_of(document) or at_ms, document=document)

    def is_about(self, ids: frozenset[str]) -> bool:
        return any(isinstance(told := self.document.get(name), str) and told in ids for name in _IDS)

    def ids(self) -> frozenset[str]:
        return frozenset(told for name in _IDS if isinstance(told := self.document.get(name), str) and is_id(told))

    def shown(self) -> str:
        at = datetime.fromtimestamp(self.at_ms / 1000, tz=UTC).strftime(_TIME)[:-3]
        said = self.document
        facts = [f"{name}={_shown(value)}" for name, value in said.items() if name not in _NOT_SHOWN and _tells(value)]
        return f"{at}  {_shown(said.get('kind') or '-'):<11}  {_shown(said['message']):<16}  {' '.join(facts)}".rstrip()


_IDS: Final = ("request_id", "query_id", "api_request_id")


def is_id(text: str) -> bool:
    """Whether it is the gateway's own id of a request, or of what is queued: a query, a run of tests, an erasure."""
    return any(made_at_s(text, prefix=prefix) is not None for prefix in (*_QUEUED, REQUEST_PREFIX))


def is_api_request(text: object) -> bool:
    """Whether it is what API Gateway calls a request."""
    return isinstance(text, str) and _API_REQUEST.fullmatch(text) is not None


def life_of(id_: str, logs: Logs) -> list[Line]:
    """Every line about a query and the requests that it goes back to or that read it; of a request, those of its query too.

    What API Gateway calls a request stands for the request, and has a line of API Gateway's beside.
    """
    first = [line for line in logs(id_) if line.is_about(frozenset({id_}))]
    others = frozenset(other for line in first for other in line.ids()) - {id_}
    if is_api_request(id_):
        requests = sorted(other for other in others if other.startswith(REQUEST_PREFIX))
        more = [line for request in requests for line in life_of(request, logs)]
        return sorted(_each_once([*first, *more]), key=lambda line: line.at_ms)
    if id_.startswith(REQUEST_PREFIX):
        wanted = frozenset(other for other in others if other.startswith(_QUEUED))
    else:
        wanted = frozenset(other for other in others if other.startswith(REQUEST_PREFIX))
    more = [line for other in sorted(wanted) for line in logs(other) if line.is_about(frozenset({other}))]
    return sorted(_each_once([*first, *more]), key=lambda line: line.at_ms)


def files(paths: Sequence[Path]) -> Logs:
    """The logs of processes on this machine: each a file, or a folder of files that end in `.log`."""
    found = [file for path in paths for file in (sorted(path.glob("*.log")) if path.is_dir() else [path])]
    if not found:
        raise NotReadable(f"There is no log in {', '.join(map(str, paths))}.")

    def having(words: str) -> Iterator[Line]:
        for file in found:
            at_ms = 0
            try:
                with file.open(encoding="utf-8", errors="replace") as lines:
                    for text in lines:
                        line = Line.read(text, at_ms=at_ms) if words in text else None
                        if line is not None:
                            at_ms = line.at_ms
                            yield line
            except OSError as error:
                raise NotReadable(f"{file} cannot be read: {error.strerror}.") from None

    return having


def cloudwatch(deployment: str, client: Any) -> Logs:
    """The logs of a deployment's functions, by boto3's client; their groups begin with the name of its stacks."""
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"{deployment}-")
    groups = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    if not groups:
        raise NotReadable(f"There is no log group whose name begins with {deployment}-, in this account and region.")

    def having(words: str) -> Iterator[Line]:
        since_ms = int((_made_s(words) - _EARLIER_S) * 1000)
        for group in groups:
            found = client.get_paginator("filter_log_events").paginate(
                logGroupName=group, filterPattern=f'"{words}"', startTime=max(0, since_ms)
            )
            for page in found:
                for event in page["events"]:
                    line = Line.read(event["message"], at_ms=event["timestamp"])
                    if line is not None:
                        yield line

    return having


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints every line about a query or a request in the order of time: when, of which kind, what, and its facts.

    Ends with 1 where no line is about it, with 2 where the logs cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.trace", description=main.__doc__)
    parser.add_argument(
        "id", type=_id, help="of a query, a request, a run or an erasure; or API Gateway's own of a request"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--logs", type=Path, nargs="+", default=[_LOCAL_LOGS], help="files, or folders of them")
    where.add_argument("--deployment", help="of CloudWatch, the logs of this deployment: llm-gateway-prod")
    parser.add_argument("--json", action="store_true", help="the lines as they are, one JSON document each")
    chosen = parser.parse_args(arguments)
    try:
        logs = _of_cloudwatch(chosen.deployment) if chosen.deployment else files(chosen.logs)
        life = life_of(chosen.id, logs)
    except NotReadable as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    for text in _told(life, as_json=chosen.json):
        sys.stdout.write(f"{text}\n")
    if not life:
        sys.stderr.write(f"No line is about {chosen.id}.\n")
    return 0 if life else 1


def _of_cloudwatch(deployment: str) -> Logs:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        having = cloudwatch(deployment, boto3.client("logs"))
    except (BotoCoreError, ClientError) as error:
        raise NotReadable(f"CloudWatch cannot be asked: {error}") from error

    def translated(words: str) -> Iterator[Line]:
        try:
            yield from having(words)
        except (BotoCoreError, ClientError) as error:
            raise NotReadable(f"CloudWatch cannot be asked: {error}") from error

    return translated


def _told(life: Sequence[Line], *, as_json: bool) -> Iterator[str]:
    if as_json:
        yield from (json.dumps(line.document) for line in life)
        return
    for name in ("query_id", "request_id", "api_request_id", "trace_id", "key_id"):
        values = dict.fromkeys(_shown(line.document[name]) for line in life if line.document.get(name))
        if values:
            yield f"{name:<11} {' '.join(values)}"
    yield from (line.shown() for line in life)


def _id(text: str) -> str:
    if not is_id(text) and not is_api_request(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no id of a query (qry_…), a request (req_… or API Gateway's own), a run (run_…) or an erasure (ers_…)"
        )
    return text


def _made_s(id_: str) -> float:
    """0 where the id does not tell it, as API Gateway's: all that is kept is looked through."""
    return made_at_s(id_, prefix=id_[: id_.find("_") + 1]) or 0


def _time_of(document: Mapping[str, Any]) -> int | None:
    stamp = document.get("_aws")
    at_ms = stamp.get("Timestamp") if isinstance(stamp, dict) else None
    if isinstance(at_ms, int):
        return at_ms
    if str(document.get("time")).isdecimal():
        return int(document["time"])
    try:
        written = datetime.strptime(str(document.get("timestamp")), "%Y-%m-%d %H:%M:%S,%f%z")
    except ValueError:
        return None
    return int(written.timestamp() * 1000)


def _tells(value: Any) -> bool:
    return value is not None and value != [] and value != {}


_PLAIN: Final = re.compile(r"[\w.:@/+-]+")


def _shown(value: Any) -> str:
    """On one line, without control characters, which a terminal might obey."""
    text = value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _each_once(lines: Iterable[Line]) -> Iterator[Line]:
    seen = set()
    for line in lines:
        text = json.dumps(line.document, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield line


if __name__ == "__main__":
    sys.exit(main())
