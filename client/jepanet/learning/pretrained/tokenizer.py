"""The tokenizer of a model of others, and one learnt from texts; no code of theirs runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.learning.pretrained.architecture import refused
from jepanet.texts import read_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"
MAX_BYTES = 64 << 20
BORDER = "<|border|>"
"""The token 0 of a tokenizer that is learnt here: the border of a text."""
Encode = Callable[[Sequence[str]], list[list[int]]]
"""Texts -> their tokens' numbers, with none before or behind them."""


def tokenizer_at(path: Path) -> Encode:
    """Of a folder with `tokenizer.json`, or of a GGUF file.

    Raises:
        Fatal: neither, or it cannot be read (exit code `CONFIG`).
    """
    if path.suffix != ".gguf":
        text = read_text(path / FILE, "tokenizer", max_bytes=MAX_BYTES, absent=f"name a folder with a {FILE}")
    try:
        found = _of_gguf(path) if path.suffix == ".gguf" else _of_text(text)
        found.no_truncation()
        found.no_padding()
    except JepanetError:
        raise
    except ImportError as error:
        raise _missing(error) from error
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise refused(f"its tokenizer cannot be read: {why}", "take it from its maker again") from error

    def encode(texts: Sequence[str]) -> list[list[int]]:
        return [item.ids for item in found.encode_batch(list(texts), add_special_tokens=False)]

    return encode


def learnt_tokenizer(texts: Iterable[str], size: int) -> str:
    """A `tokenizer.json` of `size` tokens at most, learnt from texts: byte-pair encoding of bytes (Radford et
    al. 2019), so that no text is without tokens. Token 0 is the border.

    Raises:
        Fatal: the library is not installed (exit code `CONFIG`).
    """
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as error:
        raise _missing(error) from error
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[BORDER], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    text: str = tokenizer.to_str()
    return text


def _of_text(text: str) -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)


def _of_gguf(path: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    made = AutoTokenizer.from_pretrained(
        str(path.parent), gguf_file=path.name, local_files_only=True, trust_remote_code=False
    )
    return cast("Tokenizer", made.backend_tokenizer)


def _missing(error: ImportError) -> Fatal:
    return Fatal(
        f"tokens need the libraries tokenizers and transformers: {error}",
        remedy="pip install 'jepanet[language]'",
        code=Exit.CONFIG,
    )
