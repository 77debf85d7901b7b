"""A backbone of `transformers` that also tells which texts are about one thing (`text_pairs/model.py`).

Its module is built from the recipe's numbers alone; nothing is downloaded, and no code but that of the
installed library runs. Attention is PyTorch's own, dropout is zero: on one machine and build it computes the
same bytes every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jepanet.errors import Exit, Fatal
from jepanet.learning.backbone_file import backbone_weights
from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.families.backbone.adapters import add_adapters
from jepanet.learning.families.backbone.schema import ENCODER, backbone_shapes, projection
from jepanet.learning.families.backbone.sizes import GPT2, NEOX, Architecture, BackboneSizes
from jepanet.learning.family import Weights
from jepanet.learning.text_pairs.model import PairModel

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


class BackboneModel(PairModel):
    """A backbone's module and the projection of one recipe."""

    def __init__(self, sizes: BackboneSizes, encoder: PreTrainedModel) -> None:
        super().__init__(sizes.model.vocabulary, sizes.model.latent, sizes.objective)
        self.border = sizes.model.border
        self.encoder = encoder
        self.projection: Tensor
        self.register_buffer("projection", torch.from_numpy(projection(sizes.model)), persistent=False)

    def numbers(self, texts: Tensor) -> Tensor:
        if not self.border:
            return texts
        border = torch.where(texts == PADDING, self.border, texts)
        return torch.where(texts == self.border, PADDING, border)

    def encode(self, texts: Tensor) -> Tensor:
        seen = self.numbers(functional.pad(texts, (1, 0), value=PADDING))
        # Padding stands behind every text, where no token before it hears of it: no mask is needed.
        read = cast(nn.Module, self.encoder.base_model)(input_ids=seen, use_cache=False)
        return cast(Tensor, read.last_hidden_state)

    def scores(self, states: Tensor) -> Tensor:
        return cast(Tensor, cast(Any, self.encoder).lm_head(states))

    def project(self, means: Tensor) -> Tensor:
        return functional.linear(means, self.projection.to(means.dtype))


def config_of(model: Architecture) -> PretrainedConfig:
    """The configuration that `transformers` builds the architecture from.

    Raises:
        Fatal: the library is not installed (exit code `CONFIG`).
    """
    try:
        from transformers import AutoConfig
    except ImportError as error:
        raise Fatal(
            f"a recipe of family backbone needs the library transformers: {error}",
            remedy="pip install 'jepanet[language]'",
            code=Exit.CONFIG,
        ) from error
    none: dict[str, object] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    if model.kind == GPT2:
        return AutoConfig.for_model(
            model.kind, vocab_size=model.vocabulary, n_positions=model.places, n_embd=model.width,
            n_layer=model.depth, n_head=model.heads, n_inner=model.hidden, layer_norm_epsilon=model.epsilon,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, tie_word_embeddings=model.tied, **none,
        )  # fmt: skip
    places = {"rope_type": "default", "rope_theta": model.theta}
    shared: dict[str, object] = {
        "vocab_size": model.vocabulary,
        "hidden_size": model.width,
        "num_hidden_layers": model.depth,
        "num_attention_heads": model.heads,
        "intermediate_size": model.hidden,
        "max_position_embeddings": model.places,
        "attention_dropout": 0.0,
        "tie_word_embeddings": model.tied,
        **none,
    }
    if model.kind == NEOX:
        turning = {**places, "partial_rotary_factor": model.turned}
        own: dict[str, object] = {
            "layer_norm_eps": model.epsilon, "hidden_dropout": 0.0, "rope_parameters": turning
        }  # fmt: skip
    else:
        own = {
            "rms_norm_eps": model.epsilon, "num_key_value_heads": model.groups, "rope_parameters": places
        }  # fmt: skip
    return AutoConfig.for_model(model.kind, **shared, **own)


def empty_module(model: Architecture) -> PreTrainedModel:
    """The architecture's module, its parameters on the device `meta`: shapes without numbers."""
    config = config_of(model)
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        module = AutoModelForCausalLM.from_config(
            config, attn_implementation="sdpa", dtype=torch.float32, trust_remote_code=False
        )
    for part in list(module.modules()):
        if any(item.is_meta for item in part.buffers(recurse=False)):  # waves of places, which are no weights
            part.__init__(config)
    return cast("PreTrainedModel", module)


def load_backbone_model(sizes: BackboneSizes, weights: Weights, device: str = "cpu") -> BackboneModel:
    """A model on `device` with copies of `weights` (float32, shapes of `schema.parameter_shapes`).

    Raises:
        Transient, Rejected: as `backbone_weights`, where it has adapters.
    """
    module = empty_module(sizes.model)
    if sizes.adapters is not None:
        frozen = backbone_weights(sizes.adapters.backbone, backbone_shapes(sizes.model))
        module.load_state_dict(frozen, strict=False, assign=True)
        module.tie_weights()
        add_adapters(module, sizes.model.kind, sizes.adapters)
    own = {name.removeprefix(ENCODER): torch.from_numpy(np.array(array)) for name, array in weights.items()}
    module.load_state_dict(own, strict=False, assign=True)
    if sizes.adapters is None:
        module.tie_weights()
    return BackboneModel(sizes, module).to(device)
