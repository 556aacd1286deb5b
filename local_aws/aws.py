"""Which AWS to use: the emulator that the environment names, on this machine and no other, or one to be started."""

import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from localstack_client.config import get_service_endpoint

from workshop.steps import Failure

REGION: Final = "us-east-1"
# Emulators take any; a real account's would be sent in the clear.
ACCESS_KEY_ID: Final = "test"
SECRET_ACCESS_KEY: Final = "test"
_TRUSTED_BY_NODE: Final = "NODE_EXTRA_CA_CERTS"
NEAR: Final = Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 2})


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAws:
    """An emulator's address, and what a program needs in its environment to use it instead of AWS.

    `certificates` is a file of those to trust where the address is https and no public authority vouches for it;
    `node_certificates` is one that has others besides, where Node is to trust others.
    """

    url: str
    region: str = REGION
    certificates: Path | None = None
    node_certificates: Path | None = None

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """`base` without any way to a real account or to this program's own modules, and with the way to the emulator."""
        kept = {name: value for name, value in base.items() if not name.startswith(("AWS_", "PYTHON"))}
        return kept | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": ",".join(filter(None, (base.get("NO_PROXY"), "127.0.0.1", "localhost"))),
            "PYTHONUNBUFFERED": "1",
            **self._trust(),
        }

    def cloudformation(self) -> Any:
        """A client of the emulator's CloudFormation."""
        return self._client("cloudformation")

    def account_id(self) -> str:
        """The account that the emulator plays. Raises botocore's errors."""
        return str(self._client("sts").get_caller_identity()["Account"])

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context that trusts the emulator's certificates; None where it has none of its own and the usual ones do."""
        return ssl.create_default_context(cafile=self.certificates) if self.certificates else None

    def trusting_others(self, base: Mapping[str, str] = os.environ, *, scratch: Path) -> "LocalAws":
        """The same, in whose environment Node goes on trusting what it does in `base`; `scratch` gets the file for that.

        Node takes one file, and npm may need the certificate of a proxy that stands before its registry.
        """
        others = base.get(_TRUSTED_BY_NODE)
        if self.certificates is None or not others:
            return self
        try:
            parts = [path.read_bytes() for path in (self.certificates, Path(others))]
        except OSError:
            # Node goes on without a file that it cannot read, too.
            return self
        joined = scratch / "node-certificates.pem"
        joined.write_bytes(b"\n".join(parts))
        return replace(self, node_certificates=joined)

    def _trust(self) -> dict[str, str]:
        if self.certificates is None:
            return {}
        # The one for Python's clients, the other for the CDK's and npm.
        return {
            "AWS_CA_BUNDLE": str(self.certificates),
            _TRUSTED_BY_NODE: str(self.node_certificates or self.certificates),
        }

    def _client(self, service: Any) -> Any:
        session = boto3.Session(
            region_name=self.region, aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET_ACCESS_KEY
        )
        verify = str(self.certificates) if self.certificates else None
        return session.client(service, endpoint_url=self.url, config=NEAR, verify=verify)


def given_aws(environment: Mapping[str, str] = os.environ) -> LocalAws | None:
    """The emulator that AWS_ENDPOINT_URL or LOCALSTACK_HOST names, if any. Raises Failure if it is not on this machine."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION
    if not any(environment.get(name, "").strip() for name in ("AWS_ENDPOINT_URL", "LOCALSTACK_HOST")):
        return None
    try:
        url = get_service_endpoint("s3") or ""
    except RuntimeError as error:
        raise Failure(f"LOCALSTACK_HOST: {error}") from error
    certificates = environment.get("AWS_CA_BUNDLE") if url.startswith("https:") else None
    return LocalAws(
        url=on_loopback(url), region=region, certificates=Path(certificates).resolve() if certificates else None
    )


def on_loopback(url: str) -> str:
    """`url` in the form that every client takes. Raises Failure if it leads to another machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"AWS_ENDPOINT_URL is {url!r}; an address like http://127.0.0.1:4566 is wanted.")
    addresses = _addresses(parts.hostname)
    if not addresses or not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise Failure(
            f"AWS_ENDPOINT_URL is {url!r}, which is not on this machine. These verbs are for an emulator here; "
            "docs/deployment.md says how to deploy to AWS."
        )
    # S3 clients put the bucket's name in front of a host that has a name, and nothing may resolve that.
    return url.rstrip("/").replace("//localhost", "//127.0.0.1", 1)


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
