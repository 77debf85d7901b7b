"""How fast and how small are the codecs, and what do they lose, beside a plain copy and hivemind's 8 bits?

One core. The arrays are float32, 256 x 256, each normal with a deviation of its own; codecs take them one by
one, or all together where these share their bytes. Speeds are megabytes (10^6 bytes) of float32 input per
second of CPU time, medians over repeats taken in turns; the yardstick `np.copyto` moves the same arrays in
the same turns. Error is the L2 norm of what is lost, relative to that of all arrays together: for top-k and
low rank it is meant to be large, error feedback sends the rest later. Normal values are the worst case for
low rank: a model's change (`--values`) shows what it is for.

`--hivemind DIR` adds hivemind's own classes, each used on one tensor at a time like ours: a directory filled
by `pip install --no-deps --target DIR hivemind msgpack`, with bitsandbytes for its blockwise codec. Only its
compression modules are loaded, not the package with its daemon. `--values BEFORE.npz,AFTER.npz` takes the
change between two sets of weights instead of made-up arrays.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from jepanet.federation.deltas.codecs import BY_ARRAY, JOINT
from jepanet.federation.deltas.contract import DeltaCodec, JointCodec

TARGET = 100.0
PIECE = (256, 256)
RESULT = Path(__file__).parent / "results" / "codecs.json"


Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """encode(arrays) -> opaque; size(opaque) in bytes; decode(opaque, shapes) -> arrays."""

    name: str
    encode: Callable[[list[np.ndarray]], Any]
    size: Callable[[Any], int]
    decode: Callable[[Any, list[Shape]], list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Figures:
    bytes: int
    ratio: float
    encode_mb_s: float
    decode_mb_s: float
    error: float


def one_by_one(
    name: str,
    encode: Callable[[np.ndarray], Any],
    size: Callable[[Any], int],
    decode: Callable[[Any, Shape], np.ndarray],
) -> Candidate:
    return Candidate(
        name,
        lambda arrays: [encode(array) for array in arrays],
        lambda stored: sum(map(size, stored)),
        lambda stored, shapes: [decode(part, shape) for part, shape in zip(stored, shapes, strict=True)],
    )


def ours(codec: DeltaCodec) -> Candidate:
    return one_by_one(codec.name, codec.encode, _bytes, codec.decode)


def ours_together(codec: JointCodec) -> Candidate:
    def named(items: list[Any]) -> dict[str, Any]:
        return {f"{index:06d}": item for index, item in enumerate(items)}

    return Candidate(
        codec.name,
        lambda arrays: codec.encode(named(arrays)),
        _bytes,
        lambda stored, shapes: list(codec.decode(stored, named(shapes)).values()),
    )


def _bytes(parts: Mapping[str, np.ndarray]) -> int:
    return sum(part.nbytes for part in parts.values())


class _Numpy:
    """numpy as hivemind knew it: `int()` of a vector with one element is an error by now."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def frombuffer(*args: Any, **options: Any) -> Any:
        array = np.frombuffer(*args, **options)
        return array[0] if options.get("count") == 1 else array


def theirs(directory: Path) -> list[Candidate]:
    """hivemind's codecs, loaded without running the `__init__` of its packages."""
    sys.path.append(str(directory))
    for name in ("hivemind", "hivemind.compression", "hivemind.utils"):
        package = types.ModuleType(name)
        package.__path__ = [str(directory.joinpath(*name.split(".")))]
        sys.modules[name] = package
    warnings.simplefilter("ignore")
    base = importlib.import_module("hivemind.compression.base")
    module = importlib.import_module("hivemind.compression.quantization")
    module.np = _Numpy()

    def candidate(name: str) -> Candidate:
        codec = getattr(module, name)()
        return one_by_one(
            f"hivemind {name.removesuffix('Quantization')}",
            lambda array: codec.compress(
                torch.from_numpy(array), base.CompressionInfo.from_tensor(torch.from_numpy(array))
            ),
            lambda message: len(message.buffer),
            lambda message, shape: codec.extract(message).numpy(),
        )

    names = ["Uniform8BitQuantization", "Quantile8BitQuantization"]
    if directory.joinpath("bitsandbytes").is_dir():
        names.append("BlockwiseQuantization")
    return [candidate(name) for name in names]


def made_up(count: int) -> list[np.ndarray]:
    generator = np.random.Generator(np.random.PCG64(1))
    return [
        generator.standard_normal(PIECE, dtype=np.float32) * np.float32(10 ** generator.uniform(-4, -1))
        for _ in range(count)
    ]


def change(files: str) -> list[np.ndarray]:
    before, after = (dict(np.load(name)) for name in files.split(","))
    return [after[name] - before[name] for name in sorted(before)]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


@click.command()
@click.option("--count", default=64, help="made-up tensors of 256 x 256 values")
@click.option("--repeats", default=9)
@click.option("--hivemind", type=click.Path(path_type=Path), help="directory with hivemind's modules")
@click.option("--values", help="BEFORE.npz,AFTER.npz instead of made-up arrays")
def main(count: int, repeats: int, hivemind: Path | None, values: str | None) -> None:
    torch.set_num_threads(1)
    arrays = made_up(count) if values is None else change(values)
    candidates = [ours(codec) for codec in BY_ARRAY.values()]
    candidates += [ours_together(codec) for codec in JOINT.values()]
    candidates += theirs(hivemind) if hivemind else []
    targets = [np.empty_like(array) for array in arrays]
    copies: list[float] = []
    times: dict[str, list[tuple[float, float]]] = {item.name: [] for item in candidates}
    found: dict[str, tuple[int, float]] = {}
    total = float(np.linalg.norm([np.linalg.norm(array) for array in arrays]))

    def copied() -> None:
        for target, array in zip(targets, arrays, strict=True):
            np.copyto(target, array)

    for _ in range(repeats + 1):
        copies.append(seconds(copied)[0])
        for item in candidates:
            encoding, stored = seconds(partial(item.encode, arrays))
            decoding, back = seconds(partial(item.decode, stored, [array.shape for array in arrays]))
            times[item.name].append((encoding, decoding))
            lost = [np.linalg.norm(one - two) for one, two in zip(back, arrays, strict=True)]
            found[item.name] = item.size(stored), float(np.linalg.norm(lost)) / total
    values_in_all, raw = sum(array.size for array in arrays), sum(array.nbytes for array in arrays)
    size = raw / 1e6
    copy = size / statistics.median(copies[1:])
    figures: dict[str, Figures] = {}
    for name, pairs in times.items():
        encoding, decoding = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
        held, error = found[name]
        figures[name] = Figures(held, raw / held, size / encoding, size / decoding, error)
    table = Table(
        title=f"{values_in_all} values; np.copyto {copy:.0f} MB/s; target {TARGET:g} MB/s both ways"
    )
    for column in (
        "codec",
        "bytes",
        "ratio",
        "encode, MB/s",
        "of a copy",
        "decode, MB/s",
        "of a copy",
        "error",
    ):
        table.add_column(column, justify="right")
    for name, item in figures.items():
        table.add_row(
            name, f"{item.bytes}", f"{item.ratio:.2f}", f"{item.encode_mb_s:.0f}",
            f"{item.encode_mb_s / copy:.3f}", f"{item.decode_mb_s:.0f}",
            f"{item.decode_mb_s / copy:.3f}", f"{item.error:.4f}",
        )  # fmt: skip
    Console(width=120).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {
                "values": values_in_all,
                "source": "made up" if values is None else "a model's change",
                "repeats": repeats,
                "copyto_mb_s": copy,
                "target_mb_s": TARGET,
                "codecs": {name: asdict(item) for name, item in figures.items()},
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
