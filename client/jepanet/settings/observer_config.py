"""Where a command that only looks finds the chain: options, environment, a node's file, in this order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_type_hints

from jepanet.errors import Exit, Fatal
from jepanet.settings.config import Observer, check_observer, read_tree
from jepanet.settings.section_reader import section_from

_ENDPOINTS, _DEPLOYMENT = "JEPANET_CHAIN_ENDPOINTS", "JEPANET_CHAIN_DEPLOYMENT"


def load_observer(
    path: Path | None,
    *,
    endpoints: Sequence[str] = (),
    deployment: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Observer:
    """Of a file, if there is one, [chain], [p2p] and [worker] count; what only a node needs is not judged.

    Raises:
        Fatal: neither of the three says where to look (exit code `USAGE`), or as `load_config`.
    """
    environment = os.environ if environment is None else environment
    tree: dict[str, object] = read_tree(path) if path is not None else {}
    chain = tree.get("chain", {})
    chosen: dict[str, object] = {}
    if isinstance(chain, Mapping):
        if endpoints:
            chosen["endpoints"] = list(endpoints)
        if deployment is not None:
            chosen["deployment"] = str(deployment.expanduser().absolute())
        tree["chain"] = {**chain, **chosen}
        ignored = {_ENDPOINTS: "endpoints", _DEPLOYMENT: "deployment"}
        environment = {key: item for key, item in environment.items() if ignored.get(key) not in chosen}
    if path is None:
        lacking = [
            option
            for option, key, variable in (
                ("--rpc URL", "endpoints", _ENDPOINTS),
                ("--deployment FILE", "deployment", _DEPLOYMENT),
            )
            if key not in chosen and variable not in environment
        ]
        if lacking:
            raise Fatal(
                "nothing says where to look",
                remedy=f"give {' and '.join(lacking)}, or --config FILE",
                code=Exit.USAGE,
            )
    base = Path.cwd() if path is None else path.parent.resolve()
    sections = {
        name: section_from(name, kind, tree.get(name, {}), base, environment)
        for name, kind in get_type_hints(Observer).items()
    }
    observer = Observer(**sections)
    check_observer(observer)
    return observer
