"""What one answer needs and what it ends with, and the port behind which a model makes it."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One answer to be made: the prompt as tokens, and how to choose the tokens that follow it."""

    prompt: Sequence[int]
    max_tokens: int
    temperature: float
    top_p: float
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int
    stop: tuple[str, ...] = ()
    grammar: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Vectors to be made, of texts as tokens."""

    texts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The vectors, in the order of their texts."""

    vectors: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How an answer ended. `completion_tokens` counts every generated token but the one that ends the turn."""

    reason: FinishReason
    completion_tokens: int


class Model(Protocol):
    """A loaded model. Everything but `pieces` and `embed` may be called while one of these runs in another thread."""

    @property
    def name(self) -> str: ...

    @property
    def context_tokens(self) -> int: ...

    @property
    def embedding_tokens(self) -> int | None:
        """The most tokens that a text may have to be embedded; None where nothing is embedded."""
        ...

    def count_text(self, text: str) -> int: ...

    def encode_text(self, text: str) -> list[int]: ...

    def encode_chat(self, messages: Sequence[ChatMessage]) -> list[int]:
        """The prompt after the chat template. Raises InvalidRequest or ContextOverflow."""
        ...

    def takes_grammar(self, grammar: str) -> bool: ...

    def pieces(self, generation: Generation, *, cancelled: Callable[[], bool]) -> Generator[bytes, None, None]:
        """The bytes of each token as it is made, until the model ends its turn or `cancelled()`.

        A piece may be part of a character.
        """
        ...

    def embed(self, embedding: Embedding, *, cancelled: Callable[[], bool]) -> Embedded:
        """A vector of length 1 for each text, fewer once `cancelled()`."""
        ...
