"""Positions in random streams that come from somebody else: only those that drawing can lead to."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch

from jepanet.errors import Rejected
from jepanet.learning.seeding import set_stream, stream_state, torch_generator

pytestmark = pytest.mark.unit

SEED = bytes(32)


def test_a_stream_goes_on_from_wherever_it_was_left() -> None:
    drawn, again = torch_generator(SEED, "a"), torch_generator(SEED, "b")
    for count in (0, 1, 1, 622, 1, 1, 300, 1000):
        torch.randint(1 << 31, (count,), generator=drawn)
        set_stream(again, stream_state(drawn))
        assert torch.equal(torch.rand(700, generator=again), torch.rand(700, generator=drawn))


@pytest.mark.parametrize(("left", "following"), [(620, 624), (2, 624), (624, 2), (624, 624)])
def test_attack_a_position_from_which_torch_reads_what_lies_behind_its_words(
    left: int, following: int
) -> None:
    """Auditors would draw other numbers each, and call each other liars."""
    stream = torch_generator(SEED, "a")
    before = stream_state(stream)
    state = before.copy()
    state[8:12] = np.frombuffer(struct.pack("=i", left), np.uint8)
    state[16:24] = np.frombuffer(struct.pack("=Q", following), np.uint8)
    with pytest.raises(Rejected) as refused:
        set_stream(stream, state)
    assert refused.value.reason == "bad-position"
    assert np.array_equal(stream_state(stream), before), "nothing was taken up"


@pytest.mark.parametrize(
    "state",
    [np.zeros(0, np.uint8), np.zeros(23, np.uint8), np.zeros(5056, np.uint8), np.zeros((2, 12), np.float32)],
    ids=["empty", "short", "zeros", "floats"],
)
def test_what_is_no_state_is_refused(state: np.ndarray) -> None:
    with pytest.raises(Rejected) as refused:
        set_stream(torch_generator(SEED, "a"), state)
    assert refused.value.reason == "bad-position"
