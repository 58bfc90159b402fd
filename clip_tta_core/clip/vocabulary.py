"""What a small CLIP can read: the words it was trained on, as CLIP's word pieces numbered anew."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

# The training's captions never say "or". Captions that do, such as CLIPArTT's, are read without it: the names
# that are left still give a feature between those of their classes.
SILENT = re.compile(r"\bor\b\s*", re.IGNORECASE)
NAMED = 5  # unknown words in an error's sentence


@dataclass(frozen=True)
class Vocabulary:
    """Turns texts into the numbers of an embedding that has rows only for the word pieces in use."""

    words: tuple[str, ...]  # what a text may consist of
    tokens: tuple[int, ...]  # CLIP's number of every row, sorted, so that the end of text stays last
    context_length: int
    owner: str  # whose words they are, as errors say it: "mini-CLIP"
    subject: str  # what they speak of: "rendered objects"
    _rows: Mapping[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", {token: row for row, token in enumerate(self.tokens)})

    def tokenize(self, texts: str | Sequence[str]) -> Tensor:
        """Rows of the embedding for every text, padded or cut to the context. -> int64 (N, context length)

        Raises:
            ValueError: one sentence that names the words the model has never seen.
        """
        texts = [SILENT.sub("", text) for text in ([texts] if isinstance(texts, str) else texts)]
        unknown = sorted({word for text in texts for word in words_of(text)} - set(self.words))
        if unknown:
            listed = ", ".join(f"'{word}'" for word in unknown[:NAMED])
            listed += f" and {len(unknown) - NAMED} more words" if len(unknown) > NAMED else ""
            raise ValueError(
                f"{self.owner} does not know {listed}; name {self.subject} or choose a larger CLIP."
            )
        numbers = tokenizer(self.context_length)(texts) if texts else torch.zeros(0, self.context_length)
        return numbers.long().apply_(self._rows.__getitem__)


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, and every other sign that is not space."""
    return re.findall(r"[^\W_]+|[^\w\s]|_", text.lower())


@cache
def tokenizer(context_length: int) -> SimpleTokenizer:
    """CLIP's own."""
    return SimpleTokenizer(context_length=context_length)
