"""How similar two texts are by their words."""

import re
from collections import Counter
from typing import Final

_WORD: Final = re.compile(r"\w+")


def similarity(one: str, other: str) -> float:
    """From 0 (no word in common) to 1 (the same words, in any order), whatever their case.

    This is the F1 of words that SQuAD measures answers by (Rajpurkar, Zhang, Lopyrev, Liang: "SQuAD: 100,000+ Questions for
    Machine Comprehension of Text", EMNLP 2016, section 6.1), over the words as they are. Two texts without a word are the same.
    """
    words, others = _words(one), _words(other)
    total = words.total() + others.total()
    return 2 * (words & others).total() / total if total else 1.0


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.casefold()))
