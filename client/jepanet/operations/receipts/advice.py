"""What a solver can do about what became of its delta: a line for every way to earn nothing.

`docs/roles/why-zero.md` has the same at length.
"""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.operations.views.rounds import Receipt, SheetFigures
from jepanet.types import Verdict

_SAME_VERSION = "run the version of the package that the others run; look at the disk"
_AS_WRITTEN = "train as the recipe says, on the whole shard"

OUT: Mapping[str, str] = {
    "duplicate": "one account a delta: never two solvers with one key, one salt or one work folder",
    "zero-delta": "see that the training takes its steps: one that ended before its first looks so",
    "norm-outlier": f"{_AS_WRITTEN}: one that diverged, or took other rates or steps, looks so",
    "near-copy": "another seed or shard gives another delta; as for a duplicate, one account a delta",
    "not-measurable": "look at the training's trace and at the device (`jepanet node check`)",
    "state-guard": f"{_AS_WRITTEN}: steps towards collapse are stopped though they predict better",
    "harm": "look at your shard and your build: no honest delta that was measured lay so low",
    "unavailable": "be reachable until VERIFY is over (`jepanet node check`), and keep `blobs/`",
    "too-large": "look who else serves it, and run the version of the package that the others run",
    "dropped": f"{_AS_WRITTEN}; what the merge is worse with is left out of it, which costs no bond",
    "not-audited": "nothing; let `jepanet audit` say whether another machine can audit it",
    "machine-failed": "nothing; let `jepanet verify` say whether another machine can measure it",
    "shard-refused": "nothing; leave the project out of `projects.follow` if it repeats",
    "disputed": "nothing; `jepanet verify` shows what your machine measures",
}
"""For every reason of `protocol.settling.reasons`."""
FAULTS: Mapping[str, str] = {
    "too-large": "tell the proposer: codec and size are its choice",
    "malformed": _SAME_VERSION,
    "truncated": "look at the disk; never change a sealed delta",
    "not-canonical": _SAME_VERSION,
    "wrong-base": "never hand a delta of one round to another",
    "wrong-recipe": "never hand a delta of one project to another",
    "wrong-shape": "never hand a delta of one project to another",
    "non-finite": "look at the device and the training's trace",
    "bad-codec": _SAME_VERSION,
    "frozen-changed": "train with this package: it leaves frozen weights alone",
    "norm-cap": _AS_WRITTEN,
    "not-reproduced": "`jepanet audit` names the part, on this machine and on another; where it comes out as "
    "committed to, dispute the result (`jepanet round challenge`); else change nothing after the training, "
    "delta, states or residual, and look at memory and disk",
    "not-opened": "be reachable from the reveal until the result is recorded, and keep `blobs/`; a dispute "
    "(`jepanet round challenge`) needs proof that it was served then, not that it is now",
}
"""For every fault that the bytes of a delta prove, or the audit of its training."""
NO_GAIN = f"{_AS_WRITTEN}; late rounds of a good model gain less, and one shard measures them less surely"
WITHHELD = "nothing: the deltas together did not improve the model, which is nobody's own fault"
FORGED = "dispute the result within its window: it does not follow from its own scores"


def advice(item: Receipt, figures: SheetFigures) -> str:
    """What to do about a receipt; empty where it earned something and nothing is wrong."""
    if figures.recomputed is False:
        return FORGED
    if item.verdict == Verdict.ACCEPTED.name.lower():
        if not figures.published:
            return WITHHELD
        return "" if item.paid else NO_GAIN
    known = FAULTS if item.verdict == Verdict.INVALID.name.lower() else OUT
    return known.get(item.reason, _SAME_VERSION)
