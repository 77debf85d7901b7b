"""What is the house like: how many modules, how long, how many a shelf, how loosely typed, how entangled?

    python benchmarks/structure.py                     this checkout
    python benchmarks/structure.py ../other-checkout   this one beside another (an earlier commit, say)

Read off the source; nothing is imported. `Any` counts names and attributes in the syntax tree, not words in
texts. A mutual pair is two rooms that import each other, a circle any longer round of rooms or of modules.
Complexity is McCabe's number with the operands of `and` and `or` counted.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

PACKAGE = "jepanet"
HERE = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "structure.json"
MOST_COMPLEX = 20

Graph = Mapping[str, Iterable[str]]


def modules(checkout: Path) -> dict[str, Path]:
    """Every module that holds code: dotted name -> file."""
    root = checkout / "client"
    found = {".".join(path.relative_to(root).with_suffix("").parts): path for path in root.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in found.items()}


def imports(known: Mapping[str, Path]) -> dict[str, set[str]]:
    """Module -> the modules of ours it imports, wherever the import stands."""
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        asked = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                asked |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                # `from a.b import c` names the module a.b.c, or something inside of a.b.
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                asked |= {item if item in known else node.module for item in whole}
        found[name] = {item for item in asked if item in known and item != name}
    return found


def by_room(graph: Graph) -> dict[str, set[str]]:
    """The same graph of rooms: the first folder, or the module itself where it stands beside the rooms."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, asked in graph.items():
        room = _room(module)
        rooms[room] |= {_room(item) for item in asked} - {room, ""}
    return dict(rooms)


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def entangled(graph: Graph) -> list[list[str]]:
    """Strongly connected components of more than one node (Tarjan 1972), largest first."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    sys.setrecursionlimit(10_000)
    for node in graph:
        if node not in index:
            visit(node)
    return sorted(found, key=len, reverse=True)


def complexity(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """McCabe's number, with every further operand of `and` and `or`, and with nested functions."""
    total = 1
    for node in ast.walk(function):
        match node:
            case ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.ExceptHandler() | ast.IfExp():
                total += 1
            case ast.BoolOp(values=values):
                total += len(values) - 1
            case ast.comprehension(ifs=conditions):
                total += 1 + len(conditions)
            case ast.match_case(pattern=pattern) if not _catches_all(pattern):
                total += 1
            case _:
                pass
    return total


def _catches_all(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def complex_functions(code: Mapping[str, Path]) -> list[str]:
    """Functions above `MOST_COMPLEX`, the worst first."""
    found = [
        (complexity(node), f"{name.removeprefix(PACKAGE + '.')}.{node.name}")
        for name, path in code.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [f"{name} {number}" for number, name in sorted(found, reverse=True) if number > MOST_COMPLEX]


def measure(checkout: Path) -> dict[str, int | float | str]:
    """The figures of one checkout, by the name of the row."""
    known = modules(checkout)
    code = {name: path for name, path in known.items() if path.name != "__init__.py"}
    lengths = {name: len(path.read_text().splitlines()) for name, path in code.items()}
    longest = max(lengths, key=lengths.__getitem__)
    shelves = Counter(path.parent for path in code.values())
    shelf, most = shelves.most_common(1)[0]
    loose = sum(
        (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for path in code.values()
        for node in ast.walk(ast.parse(path.read_text()))
    )
    graph = imports(known)
    rooms = entangled(by_room(graph))
    tangled = entangled({name: asked for name, asked in graph.items() if known[name].name != "__init__.py"})
    too_complex = complex_functions(code)
    lines = sum(lengths.values())
    return {
        "modules": len(code),
        "lines": lines,
        "median module, lines": statistics.median(lengths.values()),
        "longest module, lines": f"{lengths[longest]} ({longest.removeprefix(PACKAGE + '.')})",
        "modules above 300 lines": sum(length > 300 for length in lengths.values()),
        "shelves": len(shelves),
        "files on the fullest shelf": f"{most} ({shelf.relative_to(checkout / 'client' / PACKAGE)})",
        "shelves of more than ten files": sum(count > 10 for count in shelves.values()),
        "Any per 1,000 lines": round(1000 * loose / lines, 1),
        "mutual pairs and circles of rooms": _listed([" ".join(item) for item in rooms]),
        "mutual pairs and circles of modules": _listed([" ".join(item) for item in tangled]),
        f"functions of complexity above {MOST_COMPLEX}": _listed(too_complex),
    }


def _listed(items: list[str]) -> str:
    return "; ".join([str(len(items)), *items])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", nargs="?", type=Path, help="a checkout to compare with, shown first")
    arguments = parser.parse_args()
    checkouts = {"other": arguments.other.resolve()} if arguments.other else {}
    checkouts["here"] = HERE
    figures = {name: measure(path) for name, path in checkouts.items()}
    table = Table("", *figures)
    for row in figures["here"]:
        table.add_row(row, *(str(found[row]) for found in figures.values()))
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
