"""Bad input ends in one clear message with a remedy and the right exit code: every command, key and file.

Run with `-s` to see the tally.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from bad_inputs import DEPLOYMENT, Case, all_cases, config_text

from jepanet.interface.cli import main

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

_LONGEST = 2000
_ENOUGH = 60
"""Seconds: far more than any refusal takes, far less than the work that a wrong input could start."""


def prepared(folder: Path) -> Path:
    """A folder as an operator's, with a good deployment file and some things that are in the way."""
    folder.mkdir()
    (folder / "node.toml").write_text(config_text(folder))
    (folder / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    (folder / "file").write_text("a file\n")
    (folder / "loop").symlink_to("loop")
    for name in ("keys", "set"):
        (folder / name).mkdir()
    (folder / "good-password").write_text("a password of some length\n")
    (folder / "good-password").chmod(0o600)
    return folder


def answered(line: list[str]) -> object:
    """The exit code of a command line; that it went on working instead of refusing is an answer too."""

    def enough(*_: object) -> None:
        raise _StillWorking

    before = signal.signal(signal.SIGALRM, enough)
    signal.alarm(_ENOUGH)
    try:
        with pytest.raises(SystemExit) as ended:
            main(line)
    except _StillWorking:
        return "none, still working"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return ended.value.code


class _StillWorking(BaseException):
    """Past every handler but the edge's own, which answers it with a code of its own."""


def judged(case: Case, code: object, said: str, shown: str) -> str | None:
    """What is wrong with how a case ended, None if nothing."""
    if code not in case.codes:
        return f"exit code {code}, not {' or '.join(map(str, case.codes))}"
    if "Traceback" in said + shown:
        return "a traceback"
    if "nobody foresaw" in said:
        return "not foreseen"
    if not said.startswith("jepanet: ") and "\njepanet: " not in said and '"error"' not in said:
        return "no message on standard error"
    if "what to do: " not in said and '"remedy": "' not in said:
        return "no remedy"
    return "longer than a screen" if len(said) > _LONGEST else None


def test_every_bad_input_ends_in_a_message_a_remedy_and_its_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = all_cases()
    assert len(cases) >= 300
    assert len({(case.group, case.name) for case in cases}) == len(cases), "a case stands twice"
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for name in [name for name in os.environ if name.startswith("JEPANET_")]:
        monkeypatch.delenv(name)
    for number, case in enumerate(cases):
        folder = prepared(tmp_path / f"case{number}")
        case.prepare(folder)
        line = [word.replace("FOLDER", str(folder)) for word in case.line]
        with monkeypatch.context() as patch:
            for name, value in case.environment.items():
                patch.setenv(name, value)
            patch.setenv("XDG_STATE_HOME", str(folder / "state"))
            patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
            code = answered(line)
        shown, said = capfd.readouterr()
        fault = judged(case, code, said, shown)
        tally[case.group] += 1
        if fault is not None:
            wrong.append(f"{case.group}: {case.name}: {fault}\n    {said.strip()[-300:]}")
        if any(elsewhere.iterdir()):
            wrong.append(
                f"{case.group}: {case.name}: wrote {next(elsewhere.iterdir())} into the working directory"
            )
            break
    with capfd.disabled():
        groups = ", ".join(f"{count} {group}" for group, count in tally.items())
        print(f"\nbad inputs: {len(cases)} ({groups}), {len(wrong)} answered wrongly")
    assert not wrong, "\n".join(wrong)
