"""Attacks against real nodes keep what came of them; a part that is kept is not played again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rows import Played, keep


def _folder(config: pytest.Config) -> Path | None:
    """None where nothing is to be kept."""
    named = config.getoption("--attacks-out")
    return Path(named) if named else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    folder, here = _folder(config), Path(__file__).parent
    if folder is None:
        return
    known = [
        item for item in items if here in item.path.parents and (folder / f"{item.path.stem}.json").exists()
    ]
    if known:
        config.hook.pytest_deselected(items=known)
        items[:] = [item for item in items if item not in known]


@pytest.fixture
def attacks_out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a part that takes long keeps what is done of it."""
    folder = _folder(request.config) or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Iterator[list[Played]]:
    """For the rows of a module's attacks: kept once all of its tests have passed."""
    failed, found = request.session.testsfailed, list[Played]()
    yield found
    folder = _folder(request.config)
    if folder is not None and found and request.session.testsfailed == failed:
        folder.mkdir(parents=True, exist_ok=True)
        keep(folder, request.path.stem, found)
