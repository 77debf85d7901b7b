"""Whole rounds whose nodes see the chain only through faulty endpoints; see `chaos` and `episodes`.

scripts/test chaos                                                240 episodes in 20 rounds
scripts/test chaos -- --chaos-seed 7                              with other draws
scripts/test chaos -- --chaos-seed 7 --chaos-episodes 31          one of them alone
scripts/test chaos -- --chaos-seed 7 --chaos-episodes 30-39       a round of them
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from chaos import Chaos
from episodes import draw
from network import Network

from chain_proxy import CATALOGUE, ProxyThread

pytestmark = [pytest.mark.scenario]

EPISODES, EPISODES_A_ROUND = 240, 12
MET = 200
"""Some episodes meet no call, because their node had nothing to ask just then."""
SHORT_SEED, SHORT = 1, range(6)


def play(network: Network, seed: int, numbers: list[int], *, patience: float) -> Chaos:
    """Plays these episodes, some in each round, and holds every law against what came of it."""
    print(f"\nchaos seed {seed}, {len(numbers)} episodes: {numbers[0]} to {numbers[-1]}", flush=True)
    hands = [numbers[at : at + EPISODES_A_ROUND] for at in range(0, len(numbers), EPISODES_A_ROUND)]
    with ProxyThread() as proxies:
        chaos = Chaos(network, proxies, seed)
        try:
            chaos.begin()
            first = chaos.open_rounds(len(hands))
            for round_id, hand in enumerate(hands, first):
                started = time.monotonic()
                chaos.play(round_id, [draw(seed, number) for number in hand], patience=patience)
                chaos.check_round(round_id, patience)
                print(f"round {round_id} took {time.monotonic() - started:.0f} s", flush=True)
            chaos.check_all(patience)
            print(chaos.report(), flush=True)
        finally:
            chaos.end()
    assert not chaos.broken, chaos.report()
    return chaos


def test_the_draws_cover_every_fault_and_repeat() -> None:
    for seed in range(3):
        episodes = [draw(seed, number) for number in range(EPISODES)]
        assert episodes == [draw(seed, number) for number in range(EPISODES)]
        assert {mode for episode in episodes for mode in episode.modes} >= set(CATALOGUE)
        assert {episode.command for episode in episodes} == {"", "deposit", "unbond", "claim", "restart"}
    assert draw(1, 0) != draw(2, 0)


@pytest.mark.timeout(600)
def test_a_round_behind_faulty_endpoints(network: Network) -> None:
    play(network, SHORT_SEED, list(SHORT), patience=120)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_episodes(
    new_network: Callable[..., Network], chaos_seed: int, chaos_episodes: list[int]
) -> None:
    numbers = chaos_episodes or list(range(EPISODES))
    chaos = play(new_network(solvers=2), chaos_seed, numbers, patience=240)
    if not chaos_episodes:
        assert sum(map(bool, chaos.met.values())) >= MET
