"""What a call is billed: the provider's own counts as far as they can be believed, and an estimate for the rest."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from llm_gateway.domain.chat import UNTOLD_TIER, ChatRequest, Usage
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.domain.tokens import estimate, probable_usage, without_tokenizer
from llm_gateway.providers import untrusted

# A count of input may be this many times the estimate, and this much more: vendors add prompts and search results of their own.
_GENEROUS: Final = 16
_UNSEEN_INPUT: Final = 100_000
_TIER: Final = re.compile(r"[a-z][a-z0-9_. -]{0,39}")
# How a call is served that costs what the price table says.
_USUAL_TIERS: Final = ("default", "standard", "auto", "standard_only")
# More than twice what any model writes today, thoughts included.
_MOST_OUTPUT: Final = 300_000


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The counts of one answer, which may come in several parts and several times.

    `input` includes what a cache gave and took; a wire whose count leaves that out notes it as `fresh`. `output` includes
    `reasoning`, unless `total` or `reasoning` itself says more. Counts only grow: servers repeat one as zero where they have
    nothing new to say. One that stays zero beside something generated is not told: that took a question, and tokens.
    """

    request: ChatRequest
    profile: ModelProfile
    counts: dict[str, int] = field(default_factory=dict)
    tiers: list[str] = field(default_factory=list)

    def note(self, **counts: object) -> None:
        """Notes each value that is a count, and within reason."""
        for name, value in counts.items():
            number = untrusted.count(value)
            if number is not None and self._is_reasonable(name, number):
                self.counts[name] = max(number, self.counts.get(name, 0))

    def serve(self, tier: object) -> None:
        """Notes how the provider says that it served the call, where that may change the price; the last word counts."""
        if isinstance(tier, str) and _TIER.fullmatch(tier):
            self.tiers[:] = (tier,)

    def whole(self, generated: str) -> Usage:
        """The usage of an answer that came to its end. A count that was not told is estimated, which marks the whole."""
        told_input = self._input()
        told_output = self._output(told_input)
        if generated:
            told_input, told_output = told_input or None, told_output or None
        if told_input is not None and told_output is not None:
            return self._usage(told_input, told_output)
        guess = probable_usage(self.request, generated, self.profile)
        used = self._usage(
            guess.input_tokens if told_input is None else told_input,
            guess.output_tokens if told_output is None else told_output,
        )
        return replace(used, estimated=True)

    def so_far(self, generated: str) -> Usage:
        """The usage of an answer that was cut short: the provider counts its output last, if at all."""
        used, guess = self.whole(generated), probable_usage(self.request, generated, self.profile)
        return replace(used, output_tokens=max(used.output_tokens, guess.output_tokens), estimated=True)

    def _input(self) -> int | None:
        counts = self.counts
        if "fresh" in counts:
            return counts["fresh"] + counts.get("cached", 0) + counts.get("cache_write", 0)
        if not counts.get("input") and "output" in counts and counts.get("total", 0) > counts["output"]:
            return counts["total"] - counts["output"]
        return counts.get("input")

    def _output(self, told_input: int | None) -> int | None:
        """With the thoughts that some servers count beside it, as a total or their own number shows."""
        output, total, thoughts = (self.counts.get(name) for name in ("output", "total", "reasoning"))
        if total is not None and told_input is not None and total - told_input > (output or 0):
            return total - told_input
        if output is not None and total is None and (thoughts or 0) > output:
            return output + (thoughts or 0)
        return output

    def _tier(self) -> str | None:
        """The tier that changes the price, None for the usual one."""
        if not self.tiers:
            return UNTOLD_TIER if self.request.may_change_its_price else None
        return self.tiers[-1] if self.tiers[-1] not in _USUAL_TIERS else None

    def _usage(self, given: int, made: int) -> Usage:
        """No part is more than its whole."""

        def part(name: str, whole: int) -> int:
            return min(self.counts.get(name, 0), whole)

        written = part("cache_write", given)
        return Usage(
            input_tokens=given,
            output_tokens=made,
            cached_input_tokens=part("cached", given - written),
            cache_write_tokens=written,
            cache_write_1h_tokens=part("cache_write_1h", written),
            reasoning_tokens=part("reasoning", made),
            audio_input_tokens=part("audio_input", given - written),
            audio_output_tokens=part("audio_output", made),
            service_tier=self._tier(),
        )

    def _is_reasonable(self, name: str, number: int) -> bool:
        most_output = max(_MOST_OUTPUT, 2 * (self.profile.max_output_tokens or 0))
        if name in ("output", "reasoning", "audio_output"):
            return number <= most_output
        most = _UNSEEN_INPUT + (most_output if name == "total" else 0)
        # Tokens are estimated only where the count is large enough to be doubted.
        return number <= most or number <= most + self._generous_input

    @cached_property
    def _generous_input(self) -> int:
        return _GENEROUS * estimate(self.request, self.profile, without_tokenizer).most
