"""Signing for a model that runs as a Lambda: its function URL admits only callers that AWS IAM knows. Imported on first use."""

import re
from collections.abc import Generator
from functools import cache
from typing import Final

import httpx2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

from llm_gateway.domain.faults import ProviderAuthFailed

_HOST: Final = re.compile(r"[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws")


def signature_for(base_url: str) -> "FunctionUrlSignature | None":
    """How requests to `base_url` are signed; None where it is no function URL."""
    match = _HOST.fullmatch(httpx2.URL(base_url).host)
    return FunctionUrlSignature(region=match[1]) if match else None


class FunctionUrlSignature(httpx2.Auth):
    """AWS Signature Version 4 with the credentials of the process, over host, type and body."""

    requires_request_body = True

    def __init__(self, *, region: str) -> None:
        self._region = region

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        credentials = _session().get_credentials()
        if credentials is None:
            raise ProviderAuthFailed("The gateway has no AWS credentials to sign the call with.")
        signed = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=request.content,
            headers={"Host": request.headers["Host"], "Content-Type": request.headers.get("Content-Type", "")},
        )
        # Frozen: refreshed ones must not change between the signature and the token that goes with it.
        SigV4Auth(credentials.get_frozen_credentials(), "lambda", self._region).add_auth(signed)
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            if name in signed.headers:
                request.headers[name] = signed.headers[name]
        yield request


@cache
def _session() -> Session:
    return Session()
