"""What is raised where a recomputation disagrees with what was recorded."""

from __future__ import annotations

from jepanet.errors import Exit, Fatal
from jepanet.operations.views.audits import AuditReport
from jepanet.operations.views.rounds import Verification


class AuditFailed(Fatal):
    """The recomputation disagrees with what was recorded (exit code `VERIFICATION_FAILED`); `report` holds
    every check."""

    def __init__(self, report: Verification, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy=remedy, code=Exit.VERIFICATION_FAILED)
        self.report = report


class WorkDiffers(Fatal):
    """A part of a training did not come out as its solver committed to it, or could not be had (exit code
    `VERIFICATION_FAILED`); `report` holds every part."""

    def __init__(self, report: AuditReport, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy=remedy, code=Exit.VERIFICATION_FAILED)
        self.report = report
