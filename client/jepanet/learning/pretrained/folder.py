"""A folder in Hugging Face's form, or a GGUF file, of a stranger: what it holds, and its weights.

No code of the folder runs (`trust_remote_code` is never set), nothing is fetched, and files that run code
when they are read (`.bin`, `.pt`: pickle) are refused. How much is allocated follows from the configuration,
whose recipe is checked before any weight is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.learning.pretrained.architecture import refused
from jepanet.learning.recipe import MAX_PARAMETERS
from jepanet.tensors import Arrays
from jepanet.texts import load_json, read_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MAX_CONFIG_BYTES = 1 << 20
MAX_WEIGHT_BYTES = 4 * MAX_PARAMETERS + (64 << 20)
"""Of all files of weights together."""
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
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
        if self.gguf is not None:
            files = [self.folder / self.gguf]
        else:
            files = sorted(self.folder.glob("*.safetensors"))
            if not files:
                pickled = sorted(path.name for path in self.folder.iterdir() if path.suffix in _PICKLED)
                if pickled:
                    raise refused(
                        f"{pickled[0]} runs code when it is read",
                        "take the model's safetensors, or convert it on a machine that you can lose",
                    )
                raise refused(f"{self.folder} has no .safetensors", "name the folder that holds the weights")
            text = read_text(self.folder / "config.json", "configuration", max_bytes=MAX_CONFIG_BYTES)
            said = load_json(text, "configuration", self.folder / "config.json")
            if not isinstance(said, dict):
                raise refused("config.json is no object", "name the folder of a model")
            if said.get("auto_map"):
                raise refused("config.json names code of its own (auto_map)", "choose another model")
        size = sum(path.stat().st_size for path in files)
        if size > MAX_WEIGHT_BYTES:
            raise refused(
                f"its weights have {size:,} bytes, more than {MAX_WEIGHT_BYTES:,}", "choose a smaller model"
            )

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
