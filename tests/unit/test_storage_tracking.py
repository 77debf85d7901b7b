"""The numbers of a training outlive kills; a file holds one training, and one process writes to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal
from jepanet.storage.tracking import RUNNING, Tracking

pytestmark = pytest.mark.unit

RUN, OTHER = bytes(range(32)), bytes(32)


def test_numbers_are_there_after_a_restart_and_repeated_steps_replace_them(tmp_path: Path) -> None:
    path = tmp_path / "tracking.sqlite"
    first = Tracking(path)
    assert first.begin(RUN, "{}") is None
    first.add([(1, {"loss": 3.0, "rate": 0.1}), (2, {"loss": 2.0}), (0, {"validation": 4.0})])
    first.close()
    again = Tracking(path)
    assert again.begin(RUN, "{}") == RUNNING
    again.add([(2, {"loss": 2.5}), (3, {"loss": 1.0})])
    assert again.curves() == {
        "loss": [(1, 3.0), (2, 2.5), (3, 1.0)], "rate": [(1, 0.1)], "validation": [(0, 4.0)],
    }  # fmt: skip
    again.end("early_stop")
    assert again.begin(RUN, "{}") == "early_stop"
    with pytest.raises(ValueError, match="another"):
        again.begin(OTHER, "{}")
    again.close()


def test_two_processes_do_not_track_into_one_file(tmp_path: Path) -> None:
    first = Tracking(tmp_path / "tracking.sqlite")
    with pytest.raises(Fatal) as caught:
        Tracking(tmp_path / "tracking.sqlite")
    assert caught.value.code == Exit.ALREADY_RUNNING
    first.close()
