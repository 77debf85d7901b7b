"""Low-rank adapters of `peft` beside a backbone's linear layers, which become what nothing trains."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from jepanet.errors import Exit, Fatal
from jepanet.learning.families.backbone.sizes import GPT2, Adapters

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_OWN = ".lora_"


def add_adapters(module: PreTrainedModel, kind: str, adapters: Adapters) -> None:
    """Adds adapters with numbers that mean nothing yet; all other parameters become buffers, of which no
    optimiser, delta or checkpoint knows.

    Raises:
        Fatal: the library is not installed (exit code `CONFIG`).
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise Fatal(
            f"adapters need the library peft: {error}",
            remedy="pip install 'jepanet[language]'",
            code=Exit.CONFIG,
        ) from error
    config = LoraConfig(
        r=adapters.rank,
        lora_alpha=adapters.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(adapters.targets),
        fan_in_fan_out=kind == GPT2,  # its layers hold their weights the other way round
    )
    # Adapters draw initial numbers, which are replaced at once. That peft can leave them out is no way: it
    # then patches torch for all threads.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inject_adapter_in_model(config, module)
    for prefix, part in module.named_modules():
        for name, item in list(part.named_parameters(recurse=False)):
            if _OWN not in f"{prefix}.{name}":
                delattr(part, name)
                part.register_buffer(name, item.detach(), persistent=False)
