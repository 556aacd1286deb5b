"""Where an adapter calls: a provider's connection facts, apart from everything else that its configuration says."""

from dataclasses import dataclass, field

from llm_gateway.domain.faults import ProviderAuthFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One provider's address and the credential it asks for; equal ones share a client.

    A service of the AWS account is found by its `region`, None for the process's own, where it has no address.
    One that `is_own` is the deployment's own model: as a Lambda it is shown the signature of this process.
    """

    base_url: str
    private_addresses_allowed: bool
    is_own: bool = False
    api_key: str | None = field(default=None, repr=False)
    region: str | None = None

    def checked_api_key(self) -> str | None:
        """The credential. Raises `ProviderAuthFailed` where no header can carry it.

        An HTTP library would quote such a key in its own exception, and so in a traceback.
        """
        key = self.api_key
        if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key != ""):
            raise ProviderAuthFailed(
                "The configured credentials cannot be sent: they hold spaces or unusual characters."
            )
        return key
