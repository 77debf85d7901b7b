"""A folder in Hugging Face's form, or a GGUF file, of a stranger: what it holds, and its weights.

No code of the folder runs (`trust_remote_code` is never set), nothing is fetched, and files that run code
when they are read (`.bin`, `.pt`: pickle) are refused. Whatever names further files is checked before the
library follows it: an index of weights names safetensors of the folder alone, no link leads out of it, and
adapters, which stand on a model elsewhere, are refused. How much is allocated follows from the configuration,
whose recipe is checked before any weight is read.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.learning.data.inside import file_inside
from jepanet.learning.pretrained.architecture import refused
from jepanet.learning.recipe import MAX_PARAMETERS
from jepanet.nesting import Json
from jepanet.tensors import Arrays
from jepanet.texts import load_json, read_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MAX_CONFIG_BYTES = 1 << 20
MAX_INDEX_BYTES = 16 << 20
MAX_WEIGHT_BYTES = 4 * MAX_PARAMETERS + (64 << 20)
"""Of all files of weights together."""
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_INDEX = "model.safetensors.index.json"
_WEIGHTS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}\.safetensors")
_FOLLOWED = {
    "auto_map": "code of its own",
    "attn_implementation": "code of its own",
    "_attn_implementation": "code of its own",
    "configuration_files": "another configuration",
    "transformers_weights": "weights of its own choice",
}
"""Keys of a configuration that lead to further files or to code."""
_REMEDY = "pip install 'jepanet[language]'"


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Where a model of others lies."""

    folder: Path
    gguf: str | None = None
    """Name of the GGUF file in it; None: `config.json` and safetensors."""

    @classmethod
    def at(cls, path: Path) -> Pretrained:
        """A folder, or a GGUF file.

        Raises:
            Fatal: neither, or without weights that can be read safely (exit code `CONFIG`).
        """
        if path.is_file() and path.suffix == ".gguf":
            found = cls(path.parent, path.name)
        elif path.is_dir():
            found = cls(path)
        else:
            raise refused(f"{path} is neither a folder nor a .gguf file", "correct the path")
        found._check_files()
        return found

    def _check_files(self) -> None:
        if os.path.lexists(self.folder / "adapter_config.json"):
            raise refused(
                f"{self.folder} has an adapter_config.json: adapters, read on top of a model elsewhere",
                "merge them into their model, and name the folder that this is saved to",
            )
        if self.gguf is not None:
            files = [self.folder / self.gguf]
        else:
            files = self._safetensors()
            self._check_index({path.name for path in files})
            said = self._json("config.json", "configuration", MAX_CONFIG_BYTES)
            for key, what in _FOLLOWED.items():
                if said.get(key):
                    raise refused(f"config.json names {what} ({key})", "choose another model")
        size = sum(path.stat().st_size for path in files)
        if size > MAX_WEIGHT_BYTES:
            raise refused(
                f"its weights have {size:,} bytes, more than {MAX_WEIGHT_BYTES:,}", "choose a smaller model"
            )

    def _safetensors(self) -> list[Path]:
        """All of the folder itself, none of them a link out of it."""
        files = sorted(self.folder.glob("*.safetensors"))
        if not files:
            pickled = sorted(path.name for path in self.folder.iterdir() if path.suffix in _PICKLED)
            if pickled:
                raise refused(
                    f"{pickled[0]} runs code when it is read",
                    "take the model's safetensors, or convert it on a machine that you can lose",
                )
            raise refused(f"{self.folder} has no .safetensors", "name the folder that holds the weights")
        for path in files:
            file_inside(self.folder, path.name, MAX_WEIGHT_BYTES, code=Exit.CONFIG)
        return files

    def _check_index(self, files: set[str]) -> None:
        """The library joins whatever the index names to the folder, and reads it by its ending."""
        if not os.path.lexists(self.folder / _INDEX):
            return
        said = self._json(_INDEX, "index of weights", MAX_INDEX_BYTES)
        places = said.get("weight_map")
        if not isinstance(places, dict) or not places or not isinstance(said.get("metadata"), dict):
            raise refused(f"{_INDEX} is no index of weights", "take the model from its maker again")
        for name in places.values():
            if not isinstance(name, str) or not _WEIGHTS.fullmatch(name) or name not in files:
                raise refused(
                    f"{_INDEX} names {str(name)[:200]!r}, which is no .safetensors of the folder itself",
                    "take the model from its maker again, complete",
                )

    def _json(self, name: str, what: str, most: int) -> dict[str, Json]:
        """An object of a file of the folder."""
        there = os.path.lexists(self.folder / name)
        path = file_inside(self.folder, name, most, code=Exit.CONFIG) if there else self.folder / name
        said = load_json(read_text(path, what, max_bytes=most), what, path)
        if not isinstance(said, dict):
            raise refused(f"{name} is no object", "name the folder of a model")
        return said

    def config(self) -> dict[str, object]:
        """Every field of its configuration.

        Raises:
            Fatal: it cannot be read, or a library is missing (exit code `CONFIG`).
        """
        try:
            from transformers import AutoConfig

            found = AutoConfig.from_pretrained(
                str(self.folder), local_files_only=True, trust_remote_code=False, **self._gguf()
            )
            tree: dict[str, object] = found.to_dict()
            return tree
        except Exception as error:
            raise _unread(self, "configuration", error) from error

    def weights(self) -> Arrays:
        """Its parameters, float32, by their names in `transformers`.

        Call it once the recipe made from `config` was checked: as much is allocated as that says.

        Raises:
            Fatal: it cannot be read, or lacks a weight (exit code `CONFIG`).
        """
        model = self._loaded()
        return {
            name: np.ascontiguousarray(item.detach().cpu().numpy(), dtype=np.float32)
            for name, item in model.named_parameters()
        }

    def _loaded(self) -> PreTrainedModel:
        try:
            import torch
            from transformers import AutoModelForCausalLM
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()
            model, told = AutoModelForCausalLM.from_pretrained(
                str(self.folder), local_files_only=True, trust_remote_code=False, use_safetensors=True,
                dtype=torch.float32, output_loading_info=True, **self._gguf(),
            )  # fmt: skip
        except Exception as error:
            raise _unread(self, "weights", error) from error
        for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            odd = sorted(map(str, told.get(key) or ()))
            if odd:
                raise refused(
                    f"weights of {self.name} and its configuration do not fit: {key} {', '.join(odd[:4])}",
                    "take the model from its maker again",
                )
        return model

    @property
    def name(self) -> str:
        """In messages."""
        return str(self.folder if self.gguf is None else self.folder / self.gguf)

    def _gguf(self) -> dict[str, str]:
        return {} if self.gguf is None else {"gguf_file": self.gguf}


def _unread(place: Pretrained, what: str, error: Exception) -> JepanetError:
    """Of a stranger's file, or of a library that is not there."""
    if isinstance(error, JepanetError):
        return error
    remedy = _REMEDY if isinstance(error, ImportError) else "take the model from its maker again"
    why = " ".join(str(error).split())[:200]
    return Fatal(f"the {what} of {place.name} cannot be read: {why}", remedy=remedy, code=Exit.CONFIG)
