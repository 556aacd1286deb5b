"""Token counts by `tiktoken`, from rank files on disk and never from the network."""

import hashlib
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.tokens import TokenRange, by_bytes

if TYPE_CHECKING:
    from tiktoken import Encoding

_log = logging.getLogger(__name__)

# tiktoken's own names for its cached files (the SHA-1 of where it would download them), and the SHA-256 of what is in them.
RANK_FILES: Final = {
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}
# Long runs without a blank take tiktoken quadratic time: a text is counted in pieces, each cut adding a token at most.
_PIECE_CHARACTERS: Final = 16_384


class TiktokenCounter:
    """The `TokenCounter` port. An encoding takes 0.3 s and 94 MB to load: the first count that needs it does."""

    def __init__(self, rank_files: Path) -> None:
        self._rank_files = rank_files
        self._encoding = lru_cache(self._load)

    def count(self, text: str, encoding: str) -> TokenRange:
        """The exact count both ways; without the encoding's rank file, the estimate by bytes."""
        loaded = self._encoding(encoding)
        if loaded is None:
            return by_bytes(text)
        pieces = (text[start : start + _PIECE_CHARACTERS] for start in range(0, len(text), _PIECE_CHARACTERS))
        tokens = sum(len(loaded.encode_ordinary(piece)) for piece in pieces)
        return TokenRange(least=tokens, most=tokens)

    def _load(self, encoding: str) -> "Encoding | None":
        name, sha256 = RANK_FILES[encoding]
        path = self._rank_files / name
        # tiktoken deletes a file that it does not expect, and downloads another: it only gets to see the right one.
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            _log.warning("No rank file of %s in %s: tokens are estimated by bytes.", encoding, self._rank_files)
            return None
        import tiktoken

        # Its only way of being told where the files are.
        os.environ["TIKTOKEN_CACHE_DIR"] = str(self._rank_files)
        return tiktoken.get_encoding(encoding)
