"""EventBridge: what operators may have mailed, posted or counted."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from llm_gateway.access import EVENT_SOURCE
from llm_gateway.correlation import LineKind
from llm_gateway.stores.connection import Aws

_log = logging.getLogger(__name__)


class EventBus:
    """Without a bus, the log alone is told."""

    def __init__(self, *, aws: Aws, bus: str) -> None:
        self._aws = aws
        self._bus = bus

    def tell(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Never raises, and takes a few seconds at most."""
        text = json.dumps(detail)
        # A warning, because what is less is not written; nothing has failed, and no error is looked for.
        _log.warning("%s: %s", detail_type, text, extra={"kind": LineKind.PERFORMANCE})
        if self._bus:
            self._send({"EventBusName": self._bus, "Source": EVENT_SOURCE, "DetailType": detail_type, "Detail": text})

    def _send(self, entry: Mapping[str, str]) -> None:
        try:
            answer = self._aws.events.put_events(Entries=[entry])
        except Exception:
            _log.warning("The event bus cannot be reached.", exc_info=True)
            return
        if answer["FailedEntryCount"]:
            _log.warning("The event bus has not taken an event: %s", answer["Entries"][0].get("ErrorCode"))
