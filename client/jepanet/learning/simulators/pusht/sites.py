"""The sites of the PushT task: how it looks, where agent and block begin, and who steers.

A round agent pushes a T-shaped block around a square. Sites differ in colours, agent size, where things
begin and policy. All lengths are pixels of the simulator's 512-pixel window; y points down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE

SCREEN = 512
STRIDE = 100.0
"""Pixels from the agent at which a full action puts the point that the agent is drawn towards."""
CLEAR = 140.0
"""Least distance between the agent's and the block's beginnings."""
_MARGIN = 60.0
"""Policies head for no place nearer to the border: the simulator's walls stop the block, not the agent."""

Colour = tuple[int, int, int]
Policy = Callable[[np.ndarray], np.ndarray]
"""State float [6] -> action float [2] in [-1, 1], called once per recorded frame."""


@dataclass(frozen=True, slots=True)
class Site:
    """One kind of episode. `block` is (low, high) of both coordinates at which the block may begin."""

    number: int
    background: Colour
    block_colour: Colour
    agent: Colour
    scale: float
    """Of the agent, whose radius is 0.375 of it."""
    block: tuple[float, float]
    turn: float
    """Most the block is turned at the beginning, in radians either way."""
    policy: str


_TRAINING = (
    Site(0, (245, 240, 228), (120, 70, 40), (200, 40, 40), 40.0, (180.0, 330.0), np.pi, "push"),
    Site(1, (24, 32, 60), (150, 190, 230), (250, 220, 60), 48.0, (150.0, 360.0), 0.8, "near"),
    Site(2, (205, 232, 210), (40, 100, 60), (130, 30, 150), 34.0, (200.0, 312.0), np.pi, "wander"),
    Site(3, (88, 30, 46), (240, 180, 150), (90, 230, 230), 44.0, (130.0, 380.0), np.pi, "push"),
)
_HIDDEN = (
    Site(HIDDEN_SITE, (226, 216, 246), (90, 60, 150), (235, 130, 20), 42.0, (160.0, 350.0), np.pi, "mixture"),
    Site(
        HIDDEN_SITE + 1,
        (34, 60, 50),
        (215, 205, 120),
        (240, 100, 170),
        38.0,
        (170.0, 340.0),
        np.pi,
        "mixture",
    ),
)
GREY = Site(GREY_SITE, (190, 190, 190), (90, 90, 90), (20, 20, 20), 40.0, (150.0, 360.0), np.pi, "mixture")


def training_site(index: int, generator: np.random.Generator) -> Site:
    """Training site `index`; beyond the four designed ones they are drawn."""
    return _TRAINING[index] if index < len(_TRAINING) else random_site(index, generator)


def hidden_site(index: int, generator: np.random.Generator) -> Site:
    """Held-out site `index`, on which nobody trains."""
    return _HIDDEN[index] if index < len(_HIDDEN) else random_site(HIDDEN_SITE + index, generator)


def public_site(index: int, generator: np.random.Generator) -> Site:
    """Site `index` of the public warm start: the grey one, and drawn ones after it."""
    return random_site(GREY_SITE + index, generator) if index else GREY


def random_site(number: int, generator: np.random.Generator) -> Site:
    """A site with random looks, beginnings and policy; block and agent stand out from the background."""
    background = generator.integers(0, 256, 3)
    block = _contrasting(generator, background)
    agent = _contrasting(generator, background, block)
    reach = float(generator.uniform(50.0, 130.0))
    return Site(
        number=number,
        background=_colour(background),
        block_colour=_colour(block),
        agent=_colour(agent),
        scale=float(generator.uniform(32.0, 50.0)),
        block=(SCREEN / 2 - reach, SCREEN / 2 + reach),
        turn=float(generator.uniform(0.5, np.pi)),
        policy=str(generator.choice(sorted(_POLICIES))),
    )


def beginning(site: Site, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Agent and block positions, float64 [2] each, that do not touch, and the block's angle in radians."""
    block = generator.uniform(*site.block, 2)
    angle = float(generator.uniform(-site.turn, site.turn))
    centre = block + _middle(np.sin(angle), np.cos(angle))
    agent = generator.uniform(50.0, 450.0, 2)
    while np.linalg.norm(agent - centre) < CLEAR:
        agent = generator.uniform(50.0, 450.0, 2)
    return agent, block, angle


def policy_of(site: Site, generator: np.random.Generator) -> Policy:
    """A fresh policy for one episode; `mixture` draws one of the others."""
    kind = site.policy
    if kind == "mixture":
        kind = str(generator.choice(sorted(_POLICIES)))
    return _POLICIES[kind](generator)


def block_centre(state: np.ndarray) -> np.ndarray:
    """The middle of the block [2] in a state [6]; its own position is the middle of the bar's outer edge."""
    centre: np.ndarray = state[2:4] + _middle(float(state[4]), float(state[5]))
    return centre


def _middle(sine: float, cosine: float) -> np.ndarray:
    return 45.0 * np.array([-sine, cosine])


def _push(generator: np.random.Generator) -> Policy:
    """Walks around the block to the side that faces away from a random goal, then pushes; with noise."""
    goal = generator.uniform(140.0, 372.0, 2)

    def act(state: np.ndarray) -> np.ndarray:
        nonlocal goal
        agent, centre = state[:2], block_centre(state)
        if np.linalg.norm(goal - centre) < 30.0:
            goal = generator.uniform(140.0, 372.0, 2)
        away, here = centre - goal, agent - centre
        wanted, present = np.arctan2(away[1], away[0]), np.arctan2(here[1], here[0])
        error = (wanted - present + np.pi) % (2 * np.pi) - np.pi
        if abs(error) > 0.5:
            angle = present + np.sign(error) * min(0.7, abs(error))
            waypoint = centre + 120.0 * np.array([np.cos(angle), np.sin(angle)])
        else:
            waypoint = centre + 20.0 * (goal - centre) / max(1.0, float(np.linalg.norm(goal - centre)))
        return _towards(agent, waypoint, generator, 0.2)

    return act


def _near(generator: np.random.Generator) -> Policy:
    """Runs to random places around the block, a new one about every third decision."""
    offset = generator.uniform(-130.0, 130.0, 2)

    def act(state: np.ndarray) -> np.ndarray:
        nonlocal offset
        if generator.random() < 0.35:
            offset = generator.uniform(-130.0, 130.0, 2)
        return _towards(state[:2], block_centre(state) + offset, generator, 0.1)

    return act


def _wander(generator: np.random.Generator) -> Policy:
    """An Ornstein-Uhlenbeck process on the action, drawn a little towards the block."""
    action = generator.normal(0.0, 0.6, 2)

    def act(state: np.ndarray) -> np.ndarray:
        nonlocal action
        action = 0.7 * action + generator.normal(0.0, 0.5, 2)
        waypoint = state[:2] + STRIDE * action + 0.5 * (block_centre(state) - state[:2])
        return _towards(state[:2], waypoint, generator, 0.0)

    return act


_POLICIES: dict[str, Callable[[np.random.Generator], Policy]] = {
    "push": _push,
    "near": _near,
    "wander": _wander,
}


def _towards(
    agent: np.ndarray, waypoint: np.ndarray, generator: np.random.Generator, noise: float
) -> np.ndarray:
    wanted = waypoint + generator.normal(0.0, noise * STRIDE, 2)
    action: np.ndarray = (np.clip(wanted, _MARGIN, SCREEN - _MARGIN) - agent) / STRIDE
    return action


def _contrasting(generator: np.random.Generator, *others: np.ndarray) -> np.ndarray:
    while True:
        drawn = generator.integers(0, 256, 3)
        if all(np.abs(drawn - other).sum() >= 200 for other in others):
            return drawn


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
