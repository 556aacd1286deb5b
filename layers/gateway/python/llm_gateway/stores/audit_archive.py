"""Anchors and exported days in S3. The bucket keeps every version, and locks them where the deployment wants it.

The name of an anchor's object tells the whole anchor. A process that may write objects can add one, but not change or remove one.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from llm_gateway.access import AUDIT_DAYS
from llm_gateway.domain.audit.chain import Anchor, Kept
from llm_gateway.domain.audit.entries import instant, number_in, place_of, sequence_of
from llm_gateway.domain.audit.exhibits import canonical
from llm_gateway.stores.connection import Aws, error_code, reaching

_HOLDING: Final = "audit anchors"
_ANCHORS: Final = "anchors/"
_LINES: Final = ".jsonl"
_ANCHOR: Final = re.compile(rf"{_ANCHORS}(?P<at>[\d:.TZ-]+)/(?P<sequence>\d+)-(?P<hash>[0-9a-f]{{64}})\.json", re.ASCII)
_THE_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class S3AuditArchive:
    def __init__(self, *, aws: Aws, bucket: str) -> None:
        self._aws = aws
        self._bucket = bucket

    def anchor(self, anchor: Anchor) -> None:
        at = instant(anchor.at)
        document = {"sequence": anchor.sequence, "hash": anchor.hash, "at": at}
        self._put(f"{_ANCHORS}{at}/{anchor.sequence}-{anchor.hash}.json", canonical(document))

    def anchors(self) -> tuple[Anchor, ...]:
        found = (_ANCHOR.fullmatch(version["Key"]) for version in self._versions(_ANCHORS))
        return tuple(
            Anchor(sequence=int(one["sequence"]), hash=one["hash"], at=datetime.fromisoformat(one["at"]))
            for one in found
            if one
        )

    def export(self, day: date, kept: Iterable[Kept]) -> None:
        self._put(f"{AUDIT_DAYS}{day.isoformat()}{_LINES}", "".join(f"{_line(one)}\n" for one in kept))

    def last_exported(self) -> date | None:
        with reaching(_HOLDING):
            pages = self._aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=AUDIT_DAYS)
            keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return date.fromisoformat(max(keys).removeprefix(AUDIT_DAYS).removesuffix(_LINES)) if keys else None

    def exported(self) -> Iterator[Kept]:
        first: dict[str, Any] = {}
        for version in self._versions(AUDIT_DAYS):
            # Newest first within a name: the last one is how the day was kept first.
            first[version["Key"]] = version["VersionId"]
        last = place_of(_THE_BEGINNING, 0)
        for key in sorted(first):
            with reaching(_HOLDING):
                found = self._aws.s3.get_object(Bucket=self._bucket, Key=key, VersionId=first[key])
                lines = found["Body"].read().decode(errors="replace").split("\n")
            for line in filter(None, lines):
                kept = _kept(line, after=last)
                last = kept.place
                yield kept

    def _put(self, key: str, text: str) -> None:
        """Once: what is there stays as it is."""
        with reaching(_HOLDING):
            try:
                self._aws.s3.put_object(
                    Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="application/json", IfNoneMatch="*"
                )
            except ClientError as fault:
                if error_code(fault) not in _TAKEN:
                    raise

    def _versions(self, prefix: str) -> Iterator[Any]:
        """Of all objects, those that were hidden by a delete marker too."""
        with reaching(_HOLDING):
            pages = self._aws.s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                yield from page.get("Versions", [])


def _line(kept: Kept) -> str:
    """The entry as it is shown; one that somebody has made unreadable, as it is."""
    try:
        return canonical({**json.loads(kept.document), "hash": kept.hash})
    except (ValueError, TypeError, RecursionError):
        return canonical({"document": kept.document, "hash": kept.hash})


def _kept(line: str, *, after: str) -> Kept:
    """Also of a line that somebody has changed: no hash fits it, and it stands where the entry after `after` should."""
    try:
        members = json.loads(line)
        hash_ = members.pop("hash")
        place = place_of(datetime.fromisoformat(members["at"]), sequence_of(members["id"]))
        return Kept(place=place, document=canonical(members), hash=hash_)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        moment = after.partition("#")[0]
        return Kept(place=f"{moment}#{number_in(after) + 1:012}", document=line, hash="")
