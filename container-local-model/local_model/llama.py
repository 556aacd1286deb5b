"""The model itself: llama.cpp in this process, driven token by token so that every answer can be counted, bounded and stopped."""

import ctypes
import re
import secrets
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from llama_cpp.llama_grammar import LlamaGrammar

from local_model.embeddings import MOST_TOKENS, EmbeddingContext
from local_model.errors import ContextOverflow, InvalidRequest
from local_model.generation import ChatMessage, Embedded, Embedding, Generation

# Prompts are evaluated in pieces of this many tokens: a client that leaves is noticed between two of them, and whole
# pieces that two prompts begin with are evaluated once. Only whole ones, at the same places, because llama.cpp's sums
# depend on how a prompt is cut: an answer with a seed must not depend on what was asked before it.
CHUNK_TOKENS = 128
_PIECE_BYTES = 1024
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


class LlamaCppModel:
    """A loaded GGUF file. `pieces` is for one thread at a time; the rest may be called from others meanwhile."""

    def __init__(self, path: Path, *, name: str, context_tokens: int, threads: int, embeddings: bool = False) -> None:
        self._llama = llama_cpp.Llama(
            str(path),
            n_ctx=context_tokens,
            n_batch=CHUNK_TOKENS,
            n_ubatch=CHUNK_TOKENS,
            n_threads=threads,
            n_threads_batch=threads,
            # Penalties count the whole answer, as OpenAI's do.
            last_n_tokens_size=context_tokens,
            verbose=False,
        )
        self.name = name
        self.context_tokens: int = self._llama.n_ctx()
        self._vocab = llama_cpp.llama_model_get_vocab(self._llama.model)
        self._pieces = [self._spell(token) for token in range(self._llama.n_vocab())]
        self._longest_piece_bytes = max(map(len, self._pieces))
        self._template = self._chat_template()
        self._evaluated: list[int] = []
        self._threads = threads
        self.embedding_tokens = min(self.context_tokens, MOST_TOKENS) if embeddings else None

    def count_text(self, text: str) -> int:
        return len(self._tokens(text, control=False))

    def encode_text(self, text: str) -> list[int]:
        return self._tokens(text, control=False)

    def encode_chat(self, messages: Sequence[ChatMessage]) -> list[int]:
        if sum(len(message.content) for message in messages) > self.context_tokens * self._longest_piece_bytes:
            raise ContextOverflow("the messages are far longer than the model's context", param="messages")
        marker = f"\ue000{secrets.token_hex(8)}:"
        held = {f"{marker}{at}\ue001": each.content for at, each in enumerate(messages) if self._spells_control(each)}
        names = {content: mark for mark, content in held.items()}
        text = self._render(
            [{"role": each.role, "content": names.get(each.content, each.content)} for each in messages]
        )
        parts = re.split(f"({marker}[0-9]+\ue001)", text)
        tokens = [token for part in parts for token in self._tokens(held.get(part, part), control=part not in held)]
        if len(tokens) >= self.context_tokens:
            raise ContextOverflow(
                f"the messages have {len(tokens)} tokens; the model's context has {self.context_tokens}",
                param="messages",
            )
        return tokens

    def takes_grammar(self, grammar: str) -> bool:
        """False too for what llama.cpp would end the process over: it is asked before any answer is begun."""
        sampler = llama_cpp.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
        if not sampler:
            return False
        llama_cpp.llama_sampler_free(sampler)
        return True

    def pieces(self, generation: Generation, *, cancelled: Callable[[], bool]) -> Generator[bytes, None, None]:
        if not self._evaluate(generation.prompt, cancelled=cancelled):
            return
        self._llama.set_seed(generation.seed)
        grammar = LlamaGrammar.from_string(generation.grammar) if generation.grammar else None
        for token in self._llama.generate(
            generation.prompt,
            temp=generation.temperature,
            top_p=generation.top_p,
            presence_penalty=generation.presence_penalty,
            frequency_penalty=generation.frequency_penalty,
            grammar=grammar,
        ):
            if cancelled() or llama_cpp.llama_vocab_is_eog(self._vocab, token):
                return
            yield self._pieces[token]

    def embed(self, embedding: Embedding, *, cancelled: Callable[[], bool]) -> Embedded:
        return Embedded(vectors=self._embedding_context.embed(embedding.texts, cancelled=cancelled))

    @cached_property
    def _embedding_context(self) -> EmbeddingContext:
        """Made for the first text: who only chats pays no memory for it."""
        if self.embedding_tokens is None:
            raise RuntimeError("embeddings are off")
        return EmbeddingContext(self._llama.model, tokens=self.embedding_tokens, threads=self._threads)

    def _evaluate(self, prompt: Sequence[int], *, cancelled: Callable[[], bool]) -> bool:
        """Leaves the model ready to sample the first token after the prompt; False if it was cancelled on the way."""
        done = self._keep(_whole_chunks_shared(self._evaluated, prompt))
        for start in range(done, len(prompt), CHUNK_TOKENS):
            if cancelled():
                return False
            chunk = prompt[start : start + CHUNK_TOKENS]
            self._llama.eval(chunk)
            if len(chunk) == CHUNK_TOKENS:
                self._evaluated += chunk
        return True

    def _keep(self, tokens: int) -> int:
        """Forgets everything after the first `tokens` tokens, or everything where a model cannot forget a part."""
        memory = llama_cpp.llama_get_memory(self._llama.ctx)
        if not tokens or not llama_cpp.llama_memory_seq_rm(memory, 0, tokens, -1):
            tokens = 0
            llama_cpp.llama_memory_clear(memory, True)
        self._evaluated = self._evaluated[:tokens]
        self._llama.n_tokens = tokens
        return tokens

    def _tokens(self, text: str, *, control: bool) -> list[int]:
        tokens: list[int] = self._llama.tokenize(text.encode(), add_bos=False, special=control)
        return tokens

    def _spells_control(self, message: ChatMessage) -> bool:
        """Whether the text spells a control token, with which it could pass itself off as another role's turn."""
        return self._tokens(message.content, control=True) != self._tokens(message.content, control=False)

    def _render(self, messages: list[Any]) -> str:
        try:
            prompt: str = self._template(messages=messages).prompt
        except (jinja2.TemplateError, ValueError, TypeError) as error:
            raise InvalidRequest("the model's chat template refuses these messages", param="messages") from error
        return prompt

    def _spell(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(_PIECE_BYTES)
        length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, _PIECE_BYTES, 0, False)
        return buffer.raw[: max(length, 0)]

    def _text_of(self, token: int) -> str:
        return "" if token < 0 else llama_cpp.llama_vocab_get_text(self._vocab, token).decode()

    def _chat_template(self) -> Jinja2ChatFormatter:
        return Jinja2ChatFormatter(
            template=self._llama.metadata.get("tokenizer.chat_template", _CHATML),
            eos_token=self._text_of(self._llama.token_eos()),
            bos_token=self._text_of(self._llama.token_bos()),
        )


def _whole_chunks_shared(evaluated: Sequence[int], prompt: Sequence[int]) -> int:
    """How many tokens both begin with, in whole chunks, leaving at least one token of the prompt to evaluate."""
    shared = 0
    most = min(len(evaluated), len(prompt) - 1) // CHUNK_TOKENS * CHUNK_TOKENS
    while shared < most and evaluated[shared : shared + CHUNK_TOKENS] == prompt[shared : shared + CHUNK_TOKENS]:
        shared += CHUNK_TOKENS
    return shared
