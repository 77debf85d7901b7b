"""The configuration of a restored node: what it was, with the places of its new folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from jepanet.texts import load_toml, read_text

_PLACES = {
    ("node", "data_dir"): "data",
    ("wallet", "directory"): "wallet",
    ("chain", "deployment"): "deployment.json",
    ("proposer", "dataset"): "dataset",
    ("proposer", "allow_list"): "allowed.txt",
}
_HEAD = """\
# As restored from a backup; the file as it was, with its comments, is node.toml.original beside it.
"""


def restored_config(original: Path, *, present: frozenset[str]) -> str:
    """The text of `node.toml`: every key of `original`, those that name places changed to the new ones.

    `present`: names in the restored folder; a place that is not among them stays what it was.

    Raises: Fatal: `original` is no configuration (exit code `CONFIG`).
    """
    what = "configuration file"
    tree = load_toml(read_text(original, what), what, original)
    for (section, key), place in _PLACES.items():
        table = tree.get(section)
        if place not in present:
            continue
        if isinstance(table, dict) and (key in table or section != "proposer"):
            table[key] = place
    return _HEAD + "".join(_section(name, table) for name, table in tree.items())


def _section(name: str, table: object) -> str:
    if not isinstance(table, Mapping):
        return ""
    lines = [f"{key} = {_value(value)}\n" for key, value in table.items()]
    return f"\n[{name}]\n" + "".join(lines)


def _value(value: object) -> str:
    """JSON's strings, numbers, booleans and lists of them are TOML's too, but for one control character."""
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
