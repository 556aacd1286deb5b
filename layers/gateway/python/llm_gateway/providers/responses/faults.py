"""What failures of OpenAI's Responses API mean, before its answer or in it."""

from collections.abc import Mapping
from typing import Final

from llm_gateway.domain.faults import ProviderFailed, ProviderRefused, ProviderRejected
from llm_gateway.ports.system import Clock
from llm_gateway.providers import openai_sdk
from llm_gateway.providers.faults import ContentFiltered, FaultTable, FaultType

# `openai.types.responses.ResponseError` of openai 3.54 has the codes that an answer may fail with.
_CODES: Final[Mapping[str, FaultType]] = {
    **dict.fromkeys(
        ("invalid_prompt", "bio_policy", "misalignment_policy_violation", "image_content_policy_violation"),
        ContentFiltered,
    ),
    "server_error": ProviderFailed,
    "vector_store_timeout": ProviderFailed,
    "data_residency_mismatch": ProviderRefused,
    # A thought of another account's, or one that was changed on its way.
    "invalid_encrypted_content": ProviderRejected,
    **dict.fromkeys(
        (
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "invalid_image_mode",
            "image_file_too_large",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
        ),
        ProviderRejected,
    ),
}


def fault_table(clock: Clock, *, secret: str | None = None) -> FaultTable:
    return openai_sdk.fault_table(clock, secret=secret, codes=_CODES, beginnings={})
