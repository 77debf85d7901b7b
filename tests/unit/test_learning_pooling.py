"""A statistic of rows in several places is that of all rows, and so is its gradient; who has which rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from family_conformance import in_places
from torch import Tensor

from jepanet.errors import Fatal, Rejected
from jepanet.learning.objectives import sigreg, sketched_moments, visreg
from jepanet.learning.pooling import all_rows, pooled, pooled_rows
from jepanet.learning.training.processes.together import check_devices, rows_of

pytestmark = pytest.mark.unit

Statistic = Callable[[Tensor], Tensor]
ROWS, COUNT = 15, 2


def parts_of(ranks: int) -> list[tuple[int, int]]:
    return [rows_of(ROWS, rank, ranks) for rank in range(ranks)]


def gradients(statistic: Statistic, ranks: int) -> tuple[list[float], Tensor]:
    """What threads, who stand for processes, find of float64 rows: values, and the mean gradient."""
    torch.manual_seed(0)
    rows = torch.randn(ROWS, 4, dtype=torch.float64)

    def part(first: int, last: int) -> tuple[float, Tensor]:
        mine = rows[first:last].clone().requires_grad_()
        value = statistic(mine)
        return float(value.detach()), torch.autograd.grad(value, mine)[0] / ranks

    parts = in_places(ranks, ROWS, part)
    return [value for value, _ in parts], torch.cat([gradient for _, gradient in parts])


def whole(statistic: Statistic) -> tuple[float, Tensor]:
    torch.manual_seed(0)
    rows = torch.randn(ROWS, 4, dtype=torch.float64).requires_grad_()
    value = statistic(rows)
    return float(value.detach()), torch.autograd.grad(value, rows)[0]


def spread_of_rows(rows: Tensor) -> Tensor:
    """Deviations from a mean that is pooled itself: its gradient comes from every place."""
    mean = pooled(rows.mean(dim=0))
    return pooled(((rows - mean) * (rows - mean).roll(1, 1)).mean(dim=0)).square().sum()


def closeness_of_rows(rows: Tensor) -> Tensor:
    """Every row against every other, wherever they lie."""
    every = all_rows(rows)
    return (every @ every.T).logsumexp(dim=1).mean() - pooled(rows.square().mean())


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize(
    "statistic",
    [
        lambda rows: pooled(rows.square().mean()),
        lambda rows: sigreg(rows, 17),
        sketched_moments,
        spread_of_rows,
        closeness_of_rows,
        lambda rows: sum(visreg(rows, torch.eye(4, dtype=rows.dtype)[:, :3])),
    ],
    ids=["mean", "sigreg", "moments", "covariance", "closeness", "visreg"],
)
def test_a_statistic_is_that_of_all_rows(statistic: Statistic, ranks: int) -> None:
    value, gradient = whole(statistic)
    values, found = gradients(statistic, ranks)
    assert len(set(values)) == 1, "the same bits everywhere"
    assert values[0] == pytest.approx(value, rel=1e-13)
    assert torch.allclose(found, gradient, rtol=1e-12, atol=1e-15)


def test_one_of_the_rows_at_hand_is_another() -> None:
    """What is planted here is what the tests above are there to find."""

    def local(rows: Tensor) -> Tensor:
        return (rows.mean(dim=0).square() + rows.var(dim=0)).sum()

    gradient, (values, found) = whole(local)[1], gradients(local, COUNT)
    assert values[0] != values[1]
    assert float((found - gradient).norm() / gradient.norm()) > 0.05


def test_alone_nothing_is_computed() -> None:
    mean = torch.ones(3)
    assert pooled(mean) is mean and pooled_rows(7) == 7 and all_rows(mean) is mean


@pytest.mark.parametrize("ranks", [1, 2, 4, 15])
def test_every_row_is_somebodys(ranks: int) -> None:
    parts = parts_of(ranks)
    assert [row for first, last in parts for row in range(first, last)] == list(range(ROWS))
    assert max(last - first for first, last in parts) - min(last - first for first, last in parts) <= 1


def test_there_is_a_row_for_each() -> None:
    with pytest.raises(Rejected, match="15 examples cannot be split over 16") as caught:
        rows_of(ROWS, 0, 16)
    assert caught.value.reason == "too-many-processes"


@pytest.mark.parametrize("device", ["cuda:0", "cuda", "mps"])
def test_processes_have_a_device_each(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(Fatal, match=r"cannot all train on|need as many GPUs"):
        check_devices(device, 2)
    check_devices("cpu", 1000)
