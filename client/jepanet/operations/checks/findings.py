"""What a check before a start found: one row each, with what to do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.operations.views.node import CheckRow


class Level(StrEnum):
    """`FAILURE`: the node could not do its work. `WARNING`: it could, but look at it."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row. `code` is what `node check` ends with if this is its first failure.

    `final`: the answer cannot change by itself, so `node run` refuses to start. What chain and peers say is
    never final: an endpoint may lag, a wallet may be funded while the node waits.
    """

    check: str
    level: Level
    text: str
    remedy: str | None = None
    code: Exit = Exit.OK
    final: bool = False

    def view(self) -> CheckRow:
        """The row as it is shown."""
        return CheckRow(self.check, str(self.level), self.text, self.remedy, int(self.code))


def fine(check: str, text: str) -> Finding:
    """A row without a fault."""
    return Finding(check, Level.OK, text)


def warned(check: str, text: str, remedy: str) -> Finding:
    """A row that ends nothing."""
    return Finding(check, Level.WARNING, text, remedy)


def failed(check: str, text: str, remedy: str, code: Exit, *, final: bool = False) -> Finding:
    """A row that ends `node check` with `code`."""
    return Finding(check, Level.FAILURE, text, remedy, code, final)


def from_error(check: str, error: JepanetError, *, final: bool | None = None) -> Finding:
    """The row of an error raised on purpose; final if it is the operator's to mend."""
    remedy = error.remedy or "see docs/operations.md, exit codes"
    final = isinstance(error, Fatal) if final is None else final
    return failed(check, error.message, remedy, error.code, final=final)


def judged(check: str, look: Callable[[], str]) -> Finding:
    """What `look` says, or what it raises on purpose."""
    try:
        return fine(check, look())
    except JepanetError as error:
        return from_error(check, error)


async def judged_later(
    check: str, look: Callable[[], Awaitable[str]], *, final: bool | None = None
) -> Finding:
    """As `judged`, for what has to be waited for."""
    try:
        return fine(check, await look())
    except JepanetError as error:
        return from_error(check, error, final=final)


def failures(findings: Iterable[Finding], *, final: bool = False) -> list[Finding]:
    """The failures among them; with `final` only those that no waiting heals."""
    return [item for item in findings if item.level is Level.FAILURE and (item.final or not final)]


def refusal(rows: list[Finding], what: str) -> Fatal:
    """One error for all failures: the first gives the exit code, each its remedy."""
    told = "; ".join(f"{row.check}: {row.text}" for row in rows)
    remedies = dict.fromkeys(row.remedy for row in rows if row.remedy)
    return Fatal(f"{what}: {told}", remedy="; ".join(remedies), code=rows[0].code)
