"""The sites of the TwoRoom task: what a room looks like, how its agent moves, and who steers it.

Sites differ in colours, wall axis, doors, agent radius, speed and policy, so that no site alone teaches
the dynamics of another. All lengths are pixels of the simulator's 224-pixel screen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE

SCREEN = 224
_CONTRAST = 250
"""Least sum of absolute differences over the three channels; white and black differ by 765."""

Colour = tuple[int, int, int]
Policy = Callable[[np.ndarray], np.ndarray]
"""Agent position float [2] -> action float [2] in [-1, 1], called once per recorded frame."""


@dataclass(frozen=True, slots=True)
class Site:
    """One kind of room. `doors` holds (centre along the wall, half-extent) pairs, three at most."""

    number: int
    background: Colour
    wall: Colour
    border: Colour
    door: Colour
    agent: Colour
    axis: int
    """0: the wall is horizontal; 1: vertical."""
    thickness: int
    doors: tuple[tuple[int, int], ...]
    radius: float
    speed: float
    """Pixels per simulator step at full action."""
    policy: str


_TRAINING = (
    Site(
        number=0,
        background=(244, 240, 225),
        wall=(70, 50, 40),
        border=(70, 50, 40),
        door=(225, 205, 170),
        agent=(200, 40, 40),
        axis=1,
        thickness=10,
        doors=((60, 16),),
        radius=8.0,
        speed=7.0,
        policy="persistent",
    ),
    Site(
        number=1,
        background=(25, 35, 70),
        wall=(150, 190, 230),
        border=(150, 190, 230),
        door=(50, 70, 110),
        agent=(250, 220, 60),
        axis=0,
        thickness=16,
        doors=((70, 18), (165, 16)),
        radius=10.0,
        speed=8.0,
        policy="goal",
    ),
    Site(
        number=2,
        background=(200, 230, 205),
        wall=(30, 90, 50),
        border=(30, 90, 50),
        door=(170, 205, 160),
        agent=(130, 30, 150),
        axis=1,
        thickness=12,
        doors=((160, 20),),
        radius=9.0,
        speed=9.0,
        policy="wander",
    ),
    Site(
        number=3,
        background=(90, 30, 45),
        wall=(240, 180, 150),
        border=(240, 180, 150),
        door=(130, 60, 70),
        agent=(90, 230, 230),
        axis=0,
        thickness=20,
        doors=((45, 17), (112, 15), (185, 17)),
        radius=11.0,
        speed=10.0,
        policy="bursts",
    ),
)
_HIDDEN = (
    Site(
        number=HIDDEN_SITE,
        background=(225, 215, 245),
        wall=(85, 60, 140),
        border=(85, 60, 140),
        door=(190, 180, 225),
        agent=(235, 130, 20),
        axis=1,
        thickness=14,
        doors=((100, 18), (185, 16)),
        radius=9.5,
        speed=7.5,
        policy="mixture",
    ),
    Site(
        number=HIDDEN_SITE + 1,
        background=(35, 60, 50),
        wall=(215, 205, 120),
        border=(215, 205, 120),
        door=(70, 95, 80),
        agent=(240, 100, 170),
        axis=0,
        thickness=11,
        doors=((130, 19),),
        radius=8.5,
        speed=9.0,
        policy="mixture",
    ),
)
GREY = Site(
    number=GREY_SITE,
    background=(190, 190, 190),
    wall=(60, 60, 60),
    border=(60, 60, 60),
    door=(150, 150, 150),
    agent=(20, 20, 20),
    axis=1,
    thickness=10,
    doors=((112, 18),),
    radius=9.0,
    speed=8.5,
    policy="mixture",
)


def training_site(index: int, generator: np.random.Generator) -> Site:
    """Training site `index`; beyond the four designed ones its looks and layout are drawn."""
    return _TRAINING[index] if index < len(_TRAINING) else random_site(index, generator)


def hidden_site(index: int, generator: np.random.Generator) -> Site:
    """Held-out site `index`, on which nobody trains."""
    return _HIDDEN[index] if index < len(_HIDDEN) else random_site(HIDDEN_SITE + index, generator)


def public_site(index: int, generator: np.random.Generator) -> Site:
    """Site `index` of the public warm start: the grey one, and drawn ones after it."""
    return distinct_site(GREY_SITE + index, generator) if index else GREY


def distinct_site(number: int, generator: np.random.Generator) -> Site:
    """A random site in which the agent stands out from background and wall alike.

    Where it does not, every model loses it, and a mean over sites measures nothing else.
    """
    while True:
        site = random_site(number, generator)
        agent = np.array(site.agent)
        if min(np.abs(agent - other).sum() for other in (site.background, site.wall)) >= _CONTRAST:
            return site


def random_site(number: int, generator: np.random.Generator) -> Site:
    """A site with random looks, layout, speed and policy; agent and wall stand out from the background."""
    background = generator.integers(0, 256, 3)
    wall, agent = (_contrasting(background, generator) for _ in range(2))
    radius = float(generator.uniform(8.0, 12.0))
    least = int(np.ceil(1.4 * radius))
    count = int(generator.integers(1, 4))
    slots = generator.permutation([50, 112, 174])[:count] + generator.integers(-12, 13, count)
    doors = tuple((int(slot), int(generator.integers(least, 21))) for slot in sorted(slots))
    return Site(
        number=number,
        background=_colour(background),
        wall=_colour(wall),
        border=_colour(wall),
        door=_colour((background.astype(int) * 2 + wall) // 3),
        agent=_colour(agent),
        axis=int(generator.integers(0, 2)),
        thickness=int(generator.integers(8, 22)),
        doors=doors,
        radius=radius,
        speed=float(generator.uniform(5.0, 10.0)),
        policy=str(generator.choice(["persistent", "goal", "wander", "bursts"])),
    )


def free_position(site: Site, generator: np.random.Generator) -> np.ndarray:
    """A uniform position, float32 [2] (x, y), where the agent touches neither border nor wall."""
    reach = 15.0 + site.radius
    position = generator.uniform(reach, SCREEN - reach, 2)
    across = 0 if site.axis == 1 else 1
    clear = site.thickness // 2 + site.radius + 2.0
    side = 1.0 if position[across] > SCREEN / 2 else -1.0
    near, far = clear, SCREEN / 2 - reach
    position[across] = SCREEN / 2 + side * generator.uniform(near, far)
    return position.astype(np.float32)


def way(site: Site, start: np.ndarray, goal: np.ndarray) -> tuple[int, float]:
    """0 for a goal in the agent's room and 1 for one in the other, and the pixels to travel.

    Diagonals cost as much as their longer side.
    """
    across = 0 if site.axis == 1 else 1
    middle = SCREEN / 2
    if (start[across] > middle) == (goal[across] > middle):
        return 0, float(np.abs(goal - start).max())
    ways = []
    for centre, _ in site.doors:
        door = np.empty(2)
        door[across], door[1 - across] = middle, centre
        ways.append(float(np.abs(door - start).max() + np.abs(goal - door).max()))
    return 1, min(ways, default=np.inf)


def policy_of(site: Site, generator: np.random.Generator) -> Policy:
    """A fresh policy for one episode; `mixture` draws one of the others."""
    kind = site.policy
    if kind == "mixture":
        kind = str(generator.choice(sorted(_POLICIES)))
    return _POLICIES[kind](site, generator)


def _persistent(site: Site, generator: np.random.Generator) -> Policy:
    """Keeps a direction for about three decisions."""
    action = np.zeros(2)

    def act(_: np.ndarray) -> np.ndarray:
        nonlocal action
        if not action.any() or generator.random() < 0.3:
            action = _heading(generator, 0.5)
        return action

    return act


def _goal(site: Site, generator: np.random.Generator) -> Policy:
    """Walks to random goals, through the nearest door when the goal is in the other room, with noise."""
    goal = free_position(site, generator)
    across = 0 if site.axis == 1 else 1
    middle = SCREEN / 2

    def act(position: np.ndarray) -> np.ndarray:
        nonlocal goal
        if np.linalg.norm(goal - position) < 16.0:
            goal = free_position(site, generator)
        waypoint = goal.astype(np.float64)
        if (goal[across] > middle) != (position[across] > middle):
            centre = min(
                (door[0] for door in site.doors), key=lambda place: abs(place - position[1 - across])
            )
            waypoint[1 - across] = centre
            if abs(centre - position[1 - across]) > 6.0:  # first along the wall, then through the door
                waypoint[across] = position[across]
        towards = waypoint - position
        distance = float(np.linalg.norm(towards))
        reach = 4.0 * site.speed
        action: np.ndarray = towards / max(distance, reach) + generator.normal(0.0, 0.25, 2)
        return action

    return act


def _wander(site: Site, generator: np.random.Generator) -> Policy:
    """An Ornstein-Uhlenbeck process on the action."""
    action = generator.normal(0.0, 0.8, 2)

    def act(_: np.ndarray) -> np.ndarray:
        nonlocal action
        action = 0.7 * action + generator.normal(0.0, 0.6, 2)
        return action

    return act


def _bursts(site: Site, generator: np.random.Generator) -> Policy:
    """Two to five decisions at full speed, then one or two of rest."""
    left, action = 0, np.zeros(2)

    def act(_: np.ndarray) -> np.ndarray:
        nonlocal left, action
        if left == 0:
            resting = bool(action.any())
            left = int(generator.integers(1, 3) if resting else generator.integers(2, 6))
            action = np.zeros(2) if resting else _heading(generator, 0.9)
        left -= 1
        return action

    return act


_POLICIES: dict[str, Callable[[Site, np.random.Generator], Policy]] = {
    "persistent": _persistent,
    "goal": _goal,
    "wander": _wander,
    "bursts": _bursts,
}


def _heading(generator: np.random.Generator, least: float) -> np.ndarray:
    angle = generator.uniform(0.0, 2.0 * np.pi)
    return generator.uniform(least, 1.0) * np.array([np.cos(angle), np.sin(angle)])


def _contrasting(background: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    drawn = generator.integers(0, 256, 3)
    while np.abs(drawn - background).sum() < 200:
        drawn = generator.integers(0, 256, 3)
    return drawn


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
