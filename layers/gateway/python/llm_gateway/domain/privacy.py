"""What a query asks of its own texts, and what was done about personal data in them: values that a stored query keeps."""

from typing import Final, Literal

from llm_gateway.domain.pii import PiiRule
from llm_gateway.values import dataclass

SUBJECT: Final = "subject"
"""The member of a query's metadata that names the person whose data it holds."""
LONGEST_SUBJECT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanitize:
    """`text`: invisible characters in what is sent are taken out, or the query is refused. `links`: addresses in the answer that
    carry data out are told of."""

    text: Literal["clean", "refuse"] | None = None
    links: Literal["flag"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """The `rules` that were applied to a request: nothing of it is planned without those that it is under.

    `sealed`, in base64, are the values behind its placeholders, which its own key alone can read. `subject` is the digest of the
    one whom the query is about, as its metadata named them before they were masked or redacted.
    """

    rules: tuple[PiiRule, ...]
    sealed: str | None = None
    subject: str | None = None

    @property
    def is_redacted(self) -> bool:
        """Whether the words are nobody's to read any more once the query has ended."""
        return PiiRule.LOG in self.rules

    @property
    def stays_in_account(self) -> bool:
        return PiiRule.LOCAL_ONLY in self.rules

    @property
    def is_masked(self) -> bool:
        return PiiRule.MASK in self.rules
