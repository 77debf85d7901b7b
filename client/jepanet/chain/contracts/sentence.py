"""The form of a refusal in words, and remedies that many share.

In a sentence `{argument}` is the error's argument of that name; a format says its unit: `tokens`, `time`
(unix seconds), `phase`, `verdict`.
"""

from __future__ import annotations

from typing import NamedTuple


class Sentence(NamedTuple):
    says: str
    remedy: str


SHEET = "look at `jepanet round show ROUND` and run `jepanet verify ROUND`"
REPORT = "this is a defect or a contract of another version: keep the log and report it"
DEPLOYMENT = "check that the deployment file is this network's; only its deployer can mend it"
OVER = "nothing: somebody else was first"
WAIT_PHASE = "see `jepanet round list` for its phase; wait if it is still to come"
