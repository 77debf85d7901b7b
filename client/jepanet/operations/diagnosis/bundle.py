"""A support bundle: a zip of what whoever helps needs to see, without a secret of this node."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.files import write_new
from jepanet.operations.diagnosis.redaction import Redaction, secrets_of
from jepanet.operations.shown_config import settings
from jepanet.operations.status import read_status
from jepanet.operations.views.json_form import json_form
from jepanet.operations.views.node import CheckReport
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths
from jepanet.storage.summary import summary_of

_MOST_BYTES = 1 << 18
"""Of one file of others, from its end."""
_README = """\
What `jepanet doctor --bundle` put together for whoever helps with this node.

checks.json       every check, with its remedy
config.json       the configuration: each key, its value, what said so; what may be a secret is hidden
environment.json  names of variables of this program that are set
journal.json      rows of each table, and duties that are open or were given up
status.json       what the node last wrote of itself
faults/           tracebacks of faults that nobody foresaw

There are no keys, passwords, tokens, salts and sealed digests in it, and of URLs scheme, host and port alone.
Addresses, rounds, peers and names of folders are in it: look at it before you publish it.
"""


def write_bundle(
    target: Path,
    report: CheckReport,
    config: Config | None,
    *,
    tree: Mapping[str, object],
    environment: Mapping[str, str],
    faults: Iterable[Path],
) -> None:
    """Writes the zip file `target`, readable by its owner alone.

    Args:
        config: None where it could not be read; then only what knows no node is in it.
        tree: of the configuration's file.
        environment: this process' variables, as they were before any was taken out.
        faults: files with tracebacks.

    Raises:
        Fatal: there is such a file, or it cannot be written (exit code `CONFIG`); a secret would be in
            it, and nothing was written (`FAILURE`).
    """
    redaction = Redaction(secrets_of(config, environment) if config is not None else ())
    trees: dict[str, object] = {
        "checks.json": json_form(report),
        "environment.json": sorted(name for name in environment if name.startswith("JEPANET_")),
    }
    if config is not None:
        trees["config.json"] = [json_form(item) for item in settings(config, tree, environment)]
        trees["journal.json"] = summary_of(Paths(config.node.data_dir).journal)
        try:
            trees["status.json"] = json_form(read_status(config.node.data_dir))
        except JepanetError as error:
            trees["status.json"] = error.message
    texts = {name: json.dumps(tree, indent=1, sort_keys=True, default=str) for name, tree in trees.items()}
    texts |= {f"faults/{path.name}": _end(path) for path in faults}
    members = {"README.txt": _README} | {name: redaction.clean(text) for name, text in texts.items()}
    for name, text in members.items():
        if not redaction.is_clean(text) and name != "README.txt":
            raise Fatal(f"{name} of the bundle would hold a secret of this node; nothing was written",
                        remedy="report this, without a bundle", code=Exit.FAILURE)  # fmt: skip
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    try:
        write_new(target, file.getvalue(), mode=0o600)
    except FileExistsError:
        raise Fatal(
            f"{target} is there already, and nothing was changed",
            remedy="name another file with --bundle",
            code=Exit.CONFIG,
        ) from None


def _end(path: Path) -> str:
    try:
        return path.read_bytes()[-_MOST_BYTES:].decode("utf-8", "replace")
    except OSError as error:
        return f"cannot be read: {error.strerror}"
