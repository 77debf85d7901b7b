"""Seeds are bytes; every stream of random numbers has its own label, so adding one never moves another."""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Rejected

if TYPE_CHECKING:
    import torch


_PLACE = struct.Struct("=8xi4xQ")
"""Where a state of torch's Mersenne twister begins: its seed, how many of its words are left (one more), a
flag, and which word is next."""
_WORDS = 624


def derive(seed: bytes, label: str) -> bytes:
    """32 bytes: HMAC-SHA256 of `label` under `seed`. Knowing one derived seed reveals no other.

    Raises:
        ValueError: `seed` is shorter than 16 bytes.
    """
    if len(seed) < 16:
        raise ValueError(f"a seed has at least 16 bytes, not {len(seed)}")
    return hmac.new(seed, label.encode(), hashlib.sha256).digest()


def seed_in_words(purpose: str, text: str) -> bytes:
    """32 bytes of any text: the seed of what a person does by hand, another one for each purpose."""
    return hashlib.sha256(f"jepanet {purpose} {text}".encode()).digest()


def numpy_generator(seed: bytes, label: str) -> np.random.Generator:
    """A PCG64 generator for one labelled stream of `seed`."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(derive(seed, label), "big")))


def torch_generator(seed: bytes, label: str) -> torch.Generator:
    """A CPU generator for one labelled stream of `seed`; drawing on the CPU gives every device one order."""
    import torch

    generator = torch.Generator(device="cpu")
    generator.manual_seed(int.from_bytes(derive(seed, label)[:8], "big") >> 1)
    return generator


def stream_state(generator: torch.Generator) -> np.ndarray:
    """Where a stream of random numbers is: uint8 [N]."""
    state: np.ndarray = generator.get_state().numpy()
    return state


def set_stream(generator: torch.Generator, state: np.ndarray) -> None:
    """Takes a stream up where `stream_state` left it.

    Raises:
        Rejected: it is not the state of such a generator (`bad-position`), or one from which torch, which
            does not look, would read past its words: other numbers on every machine.
    """
    import torch

    try:
        if state.dtype != np.uint8:
            raise RuntimeError("it is not made of bytes")
        if state.nbytes >= _PLACE.size:
            left, following = _PLACE.unpack_from(state.tobytes())
            if left < 1 or left + following > _WORDS + 1:
                raise RuntimeError(f"{left} words are said to be left at word {following}")
        generator.set_state(torch.from_numpy(state.copy()))
    except RuntimeError as error:
        raise Rejected(f"this is no state of a random stream: {error}", reason="bad-position") from error
