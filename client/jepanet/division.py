"""Into which segments a training is divided: it follows from steps, rules and the recipe's guard, so nobody
chooses it."""

from __future__ import annotations

from math import ceil

MAX_SEGMENTS = 4096
"""Of a training, with those that a guard adds."""


def segment_steps(steps: int, segments: int) -> int:
    """Steps of one segment, but for the first and the last, where a training of `steps` has at most
    `segments` and no guard measures within."""
    ends = _ends_of_one_step(steps, segments)
    return max(1, ceil((steps - ends) / (segments - ends)))


def segment_points(steps: int, segments: int, measured_every: int = 0) -> list[int]:
    """After which steps the segments of a training of `steps` end, ascending: where the rules divide it into
    `segments` at most, and every `measured_every` steps, where a guard measures; 0: none does.

    Of four segments or more the first and the last have one step each: both are done again of every solver
    that is drawn, for what happens before and after all steps, and cost little so.
    """
    return sorted({*_divided(steps, segments), *_measured(steps, measured_every)})


def segment_count(steps: int, segments: int, measured_every: int = 0) -> int:
    """How many points `segment_points` has, without making them: a stranger's rules may ask for millions."""
    measured = _measured(steps, measured_every)
    return len(measured) + sum(point not in measured for point in _divided(steps, segments))


def most_steps(steps: int, segments: int, opened: int, measured_every: int = 0) -> int:
    """Steps of the first segment, the last and `opened` others, at most."""
    parts, every = segment_count(steps, segments, measured_every), segment_steps(steps, segments)
    longest = min(every, measured_every or every)
    outer = 1 if _ends_of_one_step(steps, segments) else longest
    return min(steps, min(parts, 2) * outer + min(opened, max(0, parts - 2)) * longest)


def _divided(steps: int, segments: int) -> set[int]:
    every = segment_steps(steps, segments)
    first, last = (1, steps - 1) if _ends_of_one_step(steps, segments) else (every, steps)
    return {*range(first, last, every), last, steps}


def _measured(steps: int, every: int) -> range:
    return range(every, steps, every) if every else range(0)


def _ends_of_one_step(steps: int, segments: int) -> int:
    return 2 if segments >= 4 and steps >= 4 else 0
