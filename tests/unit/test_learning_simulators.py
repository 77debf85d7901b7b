"""What every simulator of the registry offers, and what the rest of the program may rely on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, is_dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from jepanet.learning.data.building.plan import PROBE, PUBLIC, check_sizes, plan
from jepanet.learning.data.sizes import TINY
from jepanet.learning.presets import PRESETS
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE, PROBE_SITE, Simulator, Task
from jepanet.learning.simulators.registry import SIMULATORS
from jepanet.learning.sources.registry import built_from, dataset_for

pytestmark = pytest.mark.unit

SEED = bytes(range(32))
every = pytest.mark.parametrize("simulator", SIMULATORS.values(), ids=lambda item: item.name)


@every
def test_its_name_is_a_word_and_names_nothing_else(simulator: Simulator) -> None:
    assert simulator.name.isascii() and simulator.name.isalnum() and simulator.name.islower()
    others = [item for item in SIMULATORS.values() if item is not simulator]
    assert not any(simulator.trains(item.name) or item.trains(simulator.name) for item in others)
    assert simulator.title and simulator.library and simulator.examples
    assert built_from(simulator.environment) is simulator
    assert SIMULATORS[simulator.name] is simulator


def test_what_is_no_simulator_of_ours_is_none() -> None:
    assert built_from("some other simulator") is None and dataset_for("mine") is None


@every
def test_its_folder_agrees_with_its_record(simulator: Simulator) -> None:
    task = simulator.load()
    assert task.environment.name == simulator.environment
    assert list(task.sizes) == [dataset.recipe for dataset in simulator.datasets]
    assert 1 <= task.hold <= 64 and task.environment.probe_site == PROBE_SITE


@every
def test_presets_name_datasets_that_fit_them(simulator: Simulator) -> None:
    sizes = simulator.load().sizes
    for dataset in simulator.datasets:
        for name in (dataset.recipe, *dataset.others):
            assert dataset_for(name) == (simulator, dataset) and simulator.trains(name)
            if name in PRESETS:
                assert sizes[dataset.recipe].image == PRESETS[name].family.sizes.image
                assert sizes[dataset.recipe].frames >= PRESETS[name].family.sizes.window


@every
def test_its_sites_are_numbered_as_everybody_expects(simulator: Simulator) -> None:
    task = simulator.load()
    wide = replace(TINY, training_sites=6, hidden_sites=3, evaluation_episodes=6, public_sites=4)
    layout, again = (task.environment.sites(np.random.default_rng(5), wide) for _ in range(2))
    assert layout == again, "sites follow from the generator alone"
    assert [site.number for site in layout.training] == list(range(6))
    assert [site.number for site in layout.hidden] == [HIDDEN_SITE + index for index in range(3)]
    assert [site.number for site in layout.public] == [GREY_SITE + index for index in range(4)]
    assert layout.public[0] == task.grey_site
    drawn = [task.drawn_site(77, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2] and drawn[2].number == 77
    assert all(is_dataclass(site) and asdict(site) for site in drawn)
    replace(drawn[0], policy="mixture")


@every
def test_its_usual_datasets_can_be_planned_and_stored(simulator: Simulator) -> None:
    task: Task = simulator.load()
    for parameters in task.sizes.values():
        recordings = plan(task.environment, parameters, SEED, bytes(32))
        check_sizes(task.environment, recordings)
        assert {PUBLIC, PROBE} < set(recordings)


@every
def test_goals_in_it_have_a_way(simulator: Simulator) -> None:
    play = simulator.load().play
    if play is None:
        return
    site = simulator.load().grey_site
    generator = np.random.default_rng(3)
    ends = [play.position(site, generator) for _ in range(40)]
    assert all(end.shape == (2,) and end.dtype == np.float32 for end in ends)
    ways = [play.way(site, start, goal) for start, goal in pairwise(ends)]
    assert {kind for kind, _ in ways} == {0, 1} and all(distance >= 0 for _, distance in ways)
    assert play.speed(site) > 0 and 0 < play.radius < play.least_distance


@pytest.mark.subprocess
def test_asking_the_registry_loads_no_simulator() -> None:
    script = (
        "import sys; from jepanet.learning.sources.registry import dataset_for;"
        "dataset_for('tworoom');"
        "heavy = ('numpy', 'torch', 'gymnasium', 'stable_worldmodel');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
