"""A model that says what a test tells it to, at the test's pace."""

import threading
from collections.abc import Callable, Generator, Sequence

from local_model.errors import ContextOverflow
from local_model.generation import ChatMessage, Embedded, Embedding, Generation


class ScriptedModel:
    """Every word of a message is a token. `gate` closed: the model waits before each piece, until it opens."""

    name = "scripted"

    def __init__(self, pieces: Sequence[bytes] = (b"Hello", b" there"), *, context_tokens: int = 50) -> None:
        self.context_tokens = context_tokens
        self.script = pieces
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.asked: list[Generation] = []
        self.made = 0
        self.embedding_tokens: int | None = 20
        self.embedded: list[Embedding] = []

    def count_text(self, text: str) -> int:
        return len(text.split())

    def encode_text(self, text: str) -> list[int]:
        return [1] * self.count_text(text)

    def embed(self, embedding: Embedding, *, cancelled: Callable[[], bool]) -> Embedded:
        vectors = []
        for tokens in embedding.texts:
            while not self.gate.wait(0.005) and not cancelled():
                pass
            if cancelled():
                break
            if self.failure:
                raise self.failure
            vectors.append([float(len(tokens)), 0.5])
        self.embedded.append(embedding)
        return Embedded(vectors=vectors)

    def encode_chat(self, messages: Sequence[ChatMessage]) -> list[int]:
        count = sum(self.count_text(message.content) for message in messages)
        if count >= self.context_tokens:
            raise ContextOverflow("too long", param="messages")
        return [1] * count

    def takes_grammar(self, grammar: str) -> bool:
        return "refuse me" not in grammar

    def pieces(self, generation: Generation, *, cancelled: Callable[[], bool]) -> Generator[bytes, None, None]:
        self.asked.append(generation)
        for piece in self.script:
            while not self.gate.wait(0.005):
                if cancelled():
                    return
            if cancelled():
                return
            if self.failure:
                raise self.failure
            self.made += 1
            yield piece
