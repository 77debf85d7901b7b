"""How the processes of a worker write their log: as the process writes its own that started them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from jepanet.telemetry import configure_logging

_VARIABLE = "JEPANET_WORKER_LOG"


@dataclass(frozen=True, slots=True)
class LogForm:
    """The lowest level that is written, and whether a line is a JSON object or text."""

    level: str = "info"
    json: bool = False

    def environment(self) -> Mapping[str, str]:
        """What tells a worker, and the processes that it starts in turn."""
        return {_VARIABLE: f"{self.level} {'json' if self.json else 'text'}"}


def log_as_told(*, errors_alone: bool = False) -> None:
    """Configures the log of a worker's process, which writes to its standard error."""
    told = {**LogForm().environment(), **os.environ}
    level, form = told[_VARIABLE].split(" ")
    configure_logging(level="error" if errors_alone else level, json=form == "json")
