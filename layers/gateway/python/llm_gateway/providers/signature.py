"""Signing requests to AWS with the credentials of the process, by botocore. Imported on first use."""

from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING

import botocore.session
import httpx2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from llm_gateway.domain.faults import ProviderAuthFailed

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials


class AwsSignature(httpx2.Auth):
    """AWS Signature Version 4 over host, path, body, and type where one is sent."""

    requires_request_body = True

    def __init__(self, *, service: str, region: str) -> None:
        self._service = service
        self._region = region

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        credentials = _credentials()
        signed = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=request.content,
            # AWS refuses a signature over a header that it does not get.
            headers={name: request.headers[name] for name in ("Host", "Content-Type") if name in request.headers},
        )
        SigV4Auth(credentials, self._service, self._region).add_auth(signed)
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            if name in signed.headers:
                request.headers[name] = signed.headers[name]
        yield request


def own_region() -> str | None:
    """The region of the process, as every tool of AWS finds it."""
    region: str | None = session().get_config_variable("region")
    return region


@cache
def session() -> botocore.session.Session:
    return botocore.session.Session()


def _credentials() -> "ReadOnlyCredentials":
    """Frozen: refreshed ones must not change between the signature and the token that goes with it."""
    try:
        credentials = session().get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
    except BotoCoreError as error:
        raise ProviderAuthFailed("The gateway's AWS credentials cannot be read.") from error
    if frozen is None:
        raise ProviderAuthFailed("The gateway has no AWS credentials to sign the call with.")
    return frozen
