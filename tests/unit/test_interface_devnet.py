"""Which devnet a command means that is told none."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from jepanet.interface.cli import cli
from jepanet.operations import devnet
from jepanet.operations.views.local import DevnetStopped

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("running", "stopped"),
    [
        ((), "home/jepanet/devnet"),
        (("home/jepanet/devnet", "local/devnet"), "home/jepanet/devnet"),
        (("local/devnet",), "local/devnet"),
        (("home/jepanet/local/devnet",), "home/jepanet/local/devnet"),
    ],
)
def test_a_devnet_of_a_quickstart_is_found_where_no_other_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: tuple[str, ...], stopped: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    runs, meant = {tmp_path / name for name in running}, []

    async def down(directory: Path) -> DevnetStopped:
        meant.append(tmp_path / directory)
        return DevnetStopped(1, directory / "chain-state.json")

    monkeypatch.setattr(devnet, "is_running", lambda folder: folder.absolute() in runs)
    monkeypatch.setattr(devnet, "down", down)
    assert CliRunner().invoke(cli, ["devnet", "down"]).exit_code == 0
    assert CliRunner().invoke(cli, ["devnet", "down", "--dir", "named"]).exit_code == 0
    assert meant == [tmp_path / stopped, tmp_path / "named"]
