"""How fast and how small are the codecs, and what do they lose, beside a plain copy and hivemind's 8 bits?

One core. The arrays are float32, tensor by tensor, each normal with a deviation of its own. Speeds are
megabytes (10^6 bytes) of float32 input per second of CPU time, medians over repeats taken in turns; the
yardstick `np.copyto` moves the same arrays in the same turns. Error is the L2 norm of what is lost, relative
to that of all arrays together: for top-k it is meant to be large, error feedback sends the rest later.

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
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.contract import DeltaCodec

TARGET = 100.0
PIECE = 1 << 16
RESULT = Path(__file__).parent / "results" / "codecs.json"


@dataclass(frozen=True, slots=True)
class Candidate:
    """encode(array) -> opaque; size(opaque) in bytes; decode(opaque, shape) -> array."""

    name: str
    encode: Callable[[np.ndarray], Any]
    size: Callable[[Any], int]
    decode: Callable[[Any, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True, slots=True)
class Figures:
    bytes: int
    ratio: float
    encode_mb_s: float
    decode_mb_s: float
    error: float


def ours(codec: DeltaCodec) -> Candidate:
    return Candidate(
        codec.name, codec.encode, lambda parts: sum(part.nbytes for part in parts.values()), codec.decode
    )


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
        return Candidate(
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
@click.option("--count", default=64, help="made-up tensors of 65536 values")
@click.option("--repeats", default=9)
@click.option("--hivemind", type=click.Path(path_type=Path), help="directory with hivemind's modules")
@click.option("--values", help="BEFORE.npz,AFTER.npz instead of made-up arrays")
def main(count: int, repeats: int, hivemind: Path | None, values: str | None) -> None:
    torch.set_num_threads(1)
    arrays = made_up(count) if values is None else change(values)
    candidates = [ours(codec) for codec in CODECS.values()]
    candidates += theirs(hivemind) if hivemind else []
    targets = [np.empty_like(array) for array in arrays]
    copies: list[float] = []
    times: dict[str, list[tuple[float, float]]] = {item.name: [] for item in candidates}
    found: dict[str, tuple[int, float]] = {}
    total = float(np.linalg.norm([np.linalg.norm(array) for array in arrays]))

    def copied() -> None:
        for target, array in zip(targets, arrays, strict=True):
            np.copyto(target, array)

    def encoded(item: Candidate) -> list[Any]:
        return [item.encode(array) for array in arrays]

    def decoded(item: Candidate, stored: list[Any]) -> list[np.ndarray]:
        return [item.decode(part, array.shape) for part, array in zip(stored, arrays, strict=True)]

    for _ in range(repeats + 1):
        copies.append(seconds(copied)[0])
        for item in candidates:
            encoding, stored = seconds(partial(encoded, item))
            decoding, back = seconds(partial(decoded, item, stored))
            times[item.name].append((encoding, decoding))
            lost = [np.linalg.norm(one - two) for one, two in zip(back, arrays, strict=True)]
            found[item.name] = sum(map(item.size, stored)), float(np.linalg.norm(lost)) / total
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
