"""What a sheet says of its merge beside the bytes, against the same merge measured here.

Gain and metrics are measured, and lie as far apart as two honest machines may; words follow from what was
measured. Who signs holds a sheet to it, and so does whoever verifies a round afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Never, Protocol

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import MAX_GAIN, MAX_METRICS, Metrics
from jepanet.protocol.settling.sheet import IMPROVEMENT_ERROR, ScoreSheet

_METRICS_SHARE = 10
"""A metric may be off by so manieth a part. Two builds on CPUs differ by millionths; encodings as far from a
CPU's as a device may be move metrics of a model that is alive by 3 % at most (how well position is read from
its latents), and the rank by 0.2 %."""
_OF_THE_BASE = "before."
"""How names of metrics begin that do not hang on what was dropped."""
_NUMBERS = re.compile(r"[-+]?\d[\d.e+-]*")
_WITHHELD = re.compile(
    r"no improvement: [-+][\d.]+ [a-z ]{1,40}"
    r"|state guards: (?:(?:variance-floor|variance-ceiling|sigreg|rank|healthy-variance)(?:; |$))+"
)
"""What a merge that was measured may be withheld for (`federation.judging.judge.judge_merge`)."""


class MeasuredMerge(Protocol):
    """A merge as this machine measured it. `improvement` in micro-nats, at most 0 where it is withheld."""

    @property
    def published(self) -> bool: ...

    @property
    def improvement(self) -> int: ...

    @property
    def note(self) -> str: ...

    @property
    def metrics(self) -> Metrics: ...


def with_error(metrics: Metrics, stderr: int) -> Metrics:
    """The notes of a measured merge, with the standard error of its improvement where there is room."""
    if len(metrics) >= MAX_METRICS:
        return metrics
    return tuple(sorted((*metrics, (IMPROVEMENT_ERROR, min(stderr, MAX_GAIN)))))


def hold_account(sheet: ScoreSheet, here: MeasuredMerge, tolerance: int) -> None:
    """`here`: the same merge, after the drops of a published sheet, with the error among its metrics;
    `tolerance` in micro-nats.

    Raises:
        Rejected: reason `no-improvement`, `withheld-improvement`, `wrong-improvement`, `wrong-note` or
            `wrong-metrics`.
    """
    if sheet.published:
        if not here.published:
            _refuse("no-improvement", f"the merged model does not pass here: {here.note}")
        _hold_gain(sheet, here, tolerance)
        _hold_metrics(sheet.metrics, here.metrics, tolerance)
        return
    if here.published and here.improvement > tolerance:
        _refuse(
            "withheld-improvement",
            f"the sheet withholds a merge that gains {here.improvement} micro-nats here",
        )
    if here.published:  # by less than the tolerance, maybe without what is dropped here: nothing to compare
        known = _WITHHELD.fullmatch(sheet.note) is not None
    else:
        known = _NUMBERS.sub("#", sheet.note) == _NUMBERS.sub("#", here.note)
        _hold_gain(sheet, here, tolerance)
    if not known:
        _refuse("wrong-note", f"the sheet withholds the merge for {sheet.note!r}, here it is {here.note!r}")
    _hold_metrics(_of_the_base(sheet.metrics), _of_the_base(here.metrics), tolerance)


def _hold_gain(sheet: ScoreSheet, here: MeasuredMerge, tolerance: int) -> None:
    if abs(here.improvement - sheet.improvement) > tolerance:
        _refuse(
            "wrong-improvement",
            f"it gains {here.improvement} micro-nats here, the sheet says {sheet.improvement}",
        )


def _hold_metrics(said: Metrics, here: Metrics, tolerance: int) -> None:
    """In millionths, as the tolerance is. Sheets of earlier versions say no error."""
    own: Mapping[str, int] = dict(here)
    named = {name for name, _ in said}
    if not own.keys() - {IMPROVEMENT_ERROR} <= named <= own.keys():
        _refuse("wrong-metrics", f"the sheet says metrics {_names(said)}, here they are {_names(here)}")
    for name, value in said:
        if abs(value - own[name]) > max(tolerance, abs(own[name]) // _METRICS_SHARE):
            _refuse("wrong-metrics", f"{name} is {own[name]} millionths here, the sheet says {value}")


def _of_the_base(metrics: Metrics) -> Metrics:
    return tuple((name, value) for name, value in metrics if name.startswith(_OF_THE_BASE))


def _names(metrics: Metrics) -> str:
    return ", ".join(name for name, _ in metrics) or "none"


def _refuse(reason: str, why: str) -> Never:
    raise Rejected(why, reason=reason)
