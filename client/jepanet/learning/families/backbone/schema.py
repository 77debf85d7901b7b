"""Names and shapes of a backbone's parameters and of adapters beside it, and initial weights; numpy alone.

Names are those of `transformers` behind `encoder.`, and of `peft` for adapters: a test holds them to both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from jepanet.learning.families.backbone.sizes import GPT2, NEOX, QWEN2, Architecture, BackboneSizes
from jepanet.learning.family import Shapes
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.transformer.shapes import uniform
from jepanet.tensors import Arrays

ENCODER = "encoder."
_DEVIATION = 0.02
_ADDED = ("o_proj", "down_proj", "c_proj", "dense", "dense_4h_to_h")
"""Layers whose results are added to the tokens."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer by its name in `transformers`."""

    name: str
    outputs: int
    inputs: int = 0
    """0: a normalisation, which has one weight for every output."""
    bias: bool = False
    turned: bool = False
    """Whether its weight lies as [inputs, outputs]."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its weight."""
        if not self.inputs:
            return (self.outputs,)
        return (self.inputs, self.outputs) if self.turned else (self.outputs, self.inputs)

    @property
    def word(self) -> str:
        """The last part of its name."""
        return self.name.rpartition(".")[2]


def layers_of(model: Architecture) -> Iterator[Layer]:
    """Every layer of an architecture: embeddings, blocks, the last normalisation, and what tells the next
    token where that is not the embedding."""
    width, root = model.width, {GPT2: "transformer", NEOX: "gpt_neox"}.get(model.kind, "model")
    tokens, blocks, last = {
        GPT2: ("wte", "h", "ln_f"),
        NEOX: ("embed_in", "layers", "final_layer_norm"),
    }.get(model.kind, ("embed_tokens", "layers", "norm"))
    yield Layer(f"{root}.{tokens}", model.vocabulary, width)
    if model.kind == GPT2:
        yield Layer(f"{root}.wpe", model.places, width)
    for number in range(model.depth):
        for layer in block_of(model):
            name = f"{root}.{blocks}.{number}.{layer.name}"
            yield Layer(name, layer.outputs, layer.inputs, layer.bias, layer.turned)
    yield Layer(f"{root}.{last}", width, bias=model.kind in (GPT2, NEOX))
    if not model.tied:
        yield Layer("lm_head", model.vocabulary, width)


def block_of(model: Architecture) -> tuple[Layer, ...]:
    """The layers of one block."""
    width, hidden = model.width, model.hidden
    if model.kind == GPT2:
        return (
            Layer("ln_1", width, bias=True),
            Layer("attn.c_attn", 3 * width, width, bias=True, turned=True),
            Layer("attn.c_proj", width, width, bias=True, turned=True),
            Layer("ln_2", width, bias=True),
            Layer("mlp.c_fc", hidden, width, bias=True, turned=True),
            Layer("mlp.c_proj", width, hidden, bias=True, turned=True),
        )
    if model.kind == NEOX:
        return (
            Layer("input_layernorm", width, bias=True),
            Layer("post_attention_layernorm", width, bias=True),
            Layer("attention.query_key_value", 3 * width, width, bias=True),
            Layer("attention.dense", width, width, bias=True),
            Layer("mlp.dense_h_to_4h", hidden, width, bias=True),
            Layer("mlp.dense_4h_to_h", width, hidden, bias=True),
        )
    biased = model.kind == QWEN2
    return (
        Layer("self_attn.q_proj", width, width, bias=biased),
        Layer("self_attn.k_proj", model.keys, width, bias=biased),
        Layer("self_attn.v_proj", model.keys, width, bias=biased),
        Layer("self_attn.o_proj", width, width),
        Layer("mlp.gate_proj", hidden, width),
        Layer("mlp.up_proj", hidden, width),
        Layer("mlp.down_proj", width, hidden),
        Layer("input_layernorm", width),
        Layer("post_attention_layernorm", width),
    )


def backbone_shapes(model: Architecture) -> Shapes:
    """Of every parameter of the backbone itself, by its name in `transformers`, in ascending order."""
    shapes: Shapes = {}
    for layer in layers_of(model):
        shapes[f"{layer.name}.weight"] = layer.shape
        if layer.bias:
            shapes[f"{layer.name}.bias"] = (layer.outputs,)
    return {name: shapes[name] for name in sorted(shapes)}


def parameter_shapes(sizes: BackboneSizes) -> Shapes:
    """Of every parameter that is trained and travels, in ascending name order; all are float32."""
    if sizes.adapters is None:
        return {f"{ENCODER}{name}": shape for name, shape in backbone_shapes(sizes.model).items()}
    rank, shapes = sizes.adapters.rank, dict[str, tuple[int, ...]]()
    for layer in layers_of(sizes.model):
        if layer.word in sizes.adapters.targets:
            shapes[f"{ENCODER}{layer.name}.lora_A.default.weight"] = (rank, layer.inputs)
            shapes[f"{ENCODER}{layer.name}.lora_B.default.weight"] = (layer.outputs, rank)
    return {name: shapes[name] for name in sorted(shapes)}


def init_weights(sizes: BackboneSizes, seed: bytes) -> Arrays:
    """Weights before any training: of a backbone uniform of deviation 0.02 (Radford et al. 2019), less by
    sqrt(2 depth) for what adds to the tokens, biases zero, normalisations at identity; of adapters A of
    deviation 1/sqrt(3 inputs) and B zero, so that they begin as the backbone (Hu et al. 2021).

    Drawn by numpy in name order, so the same seed gives the same bytes on every machine.
    """
    generator = numpy_generator(seed, "weights")
    weights: Arrays = {}
    for name, shape in parameter_shapes(sizes).items():
        layer, _, kind = name.rpartition(".")
        if ".lora_" in name:
            first = ".lora_A." in name
            deviation = 1.0 / sqrt(3.0 * shape[1])
            weights[name] = uniform(generator, shape, deviation) if first else np.zeros(shape, np.float32)
        elif len(shape) == 1:
            weights[name] = np.full(shape, 0.0 if kind == "bias" else 1.0, dtype=np.float32)
        else:
            added = layer.rpartition(".")[2] in _ADDED
            deviation = _DEVIATION / sqrt(2.0 * sizes.model.depth) if added else _DEVIATION
            weights[name] = uniform(generator, shape, deviation)
    return weights


def projection(model: Architecture) -> np.ndarray:
    """What compares two texts: float32 [latent, width] of deviation 1/sqrt(width). It is the same in every
    model of these sizes, so that it is no parameter, and nobody can change it."""
    generator = numpy_generator(b"jepanet backbone", f"projection {model.latent} {model.width}")
    return uniform(generator, (model.latent, model.width), 1.0 / sqrt(model.width))


def activations_of_a_text(sizes: BackboneSizes) -> int:
    """Numbers that one text of a batch leaves for the backward pass, if it is as long as texts may be: states
    of every block, scores of every token, and how it compares with the texts of the other pairs."""
    model = sizes.model
    blocks = model.depth * _of_a_token(model, frozen=sizes.adapters is not None)
    states = blocks + 8 * model.width + 3 * model.vocabulary
    if sizes.adapters is not None:
        states += model.depth * len(sizes.adapters.targets) * (sizes.adapters.rank + model.width)
    return (model.context + 1) * states + 4 * model.latent + 4 * sizes.pairs


def _of_a_token(model: Architecture, *, frozen: bool) -> int:
    """Numbers that a block keeps of every token; layers that are frozen keep none of what they were given."""
    if model.kind == GPT2:
        return 14 * model.width + 8 * model.hidden
    if model.kind == NEOX:
        return 10 * model.width + 2 * model.hidden if frozen else 22 * model.width + 4 * model.hidden
    return 14 * model.width + 8 * model.keys + 5 * model.hidden


def multiplications(sizes: BackboneSizes) -> int:
    """Of numbers in the linear layers, in one forward pass over a batch of texts as long as they may be."""
    model = sizes.model
    layers = sum(prod(layer.shape) for layer in block_of(model) if layer.inputs)
    each = model.depth * (layers + 2 * model.width * (model.context + 1)) + model.vocabulary * model.width
    return 2 * sizes.pairs * (model.context + 1) * each
