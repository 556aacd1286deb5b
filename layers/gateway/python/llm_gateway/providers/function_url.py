"""Signing for a model that runs as a Lambda: its function URL admits only callers that AWS IAM knows. Imported on first use."""

import re
from typing import Final

import httpx2

from llm_gateway.providers.signature import AwsSignature

_HOST: Final = re.compile(r"[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws")


def signature_for(base_url: str) -> AwsSignature | None:
    """How requests to `base_url` are signed; None where it is no function URL."""
    match = _HOST.fullmatch(httpx2.URL(base_url).host)
    return AwsSignature(service="lambda", region=match[1]) if match else None
