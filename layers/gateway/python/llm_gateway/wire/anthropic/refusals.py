"""What Anthropic's API has and the gateway has not: what to do instead."""

from typing import Final

SERVER_TOOLS: Final = "tools that run at Anthropic are not offered: leave it out"
FILES: Final = "files are not kept at a provider: send the bytes, or an image's address"
HEADER: Final = "it is a header of Anthropic's own, and not handed on: leave it out"
STATELESS: Final = "the gateway keeps no state at a provider: leave it out"
