"""A backbone's part of a recipe: its architecture as plain numbers, adapters, objective and batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.learning.text_pairs.sizes import USUAL_OBJECTIVE, PairObjective
from jepanet.records.codec import check, rejected
from jepanet.records.marks import Form, LeftOut, OneOf, Range, Size

_BAD_RECIPE = rejected("bad-recipe")
LLAMA, QWEN2, NEOX, GPT2 = "llama", "qwen2", "gpt_neox", "gpt2"
_LLAMA_LAYERS = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
LAYERS = {
    LLAMA: _LLAMA_LAYERS,
    QWEN2: _LLAMA_LAYERS,
    NEOX: ("dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value"),
    GPT2: ("c_attn", "c_fc", "c_proj"),
}
"""Kind of architecture -> names of its blocks' linear layers, beside which adapters may stand."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A causal language model of `transformers`, without any of its weights.

    Only what these numbers say is built: a configuration with anything else (scaled places, windows of
    attention, experts) is another architecture, and code that comes with weights is never run.
    """

    kind: Annotated[str, OneOf(tuple(LAYERS)), "as `model_type` of a folder's `config.json`"] = LLAMA
    vocabulary: Annotated[int, Range(2, 65_536), "tokens; a shard's are all below it"] = 1024
    context: Annotated[int, Range(1, 2048), "tokens of the longest text; fewer than `places`"] = 32
    places: Annotated[
        int, Range(2, 1 << 20), "that the architecture is made for (`max_position_embeddings`)"
    ] = 64
    border: Annotated[
        int,
        Range(0, 65_535),
        "the token that begins a text and ends it; in shards it and token 0 have each other's number",
    ] = 0
    latent: Annotated[
        int, Range(2, 1024), "dimensions in which two texts are compared, after a projection nobody trains"
    ] = 64
    width: Annotated[int, Range(4, 8192), "of the blocks (`hidden_size`); a multiple of `heads`"] = 64
    depth: Annotated[int, Range(1, 128), "blocks (`num_hidden_layers`)"] = 2
    heads: Annotated[int, Range(1, 128), "of attention, in each block (`num_attention_heads`)"] = 4
    groups: Annotated[
        int, Range(1, 128), "heads of keys and values (`num_key_value_heads`); a divisor of `heads`"
    ] = 2
    hidden: Annotated[
        int, Range(4, 65_536), "width between a block's linear layers (`intermediate_size`)"
    ] = 192
    theta: Annotated[float, Range(1.0, 1e8), "longest wave of the places (`rope_theta`); not of gpt2"] = (
        10_000.0
    )
    turned: Annotated[
        float,
        LeftOut(),
        Range(0.01, 1.0),
        "share of a head that is turned by its place (`partial_rotary_factor`); below 1 in gpt_neox alone",
    ] = 1.0
    epsilon: Annotated[float, Range(1e-12, 0.01), "added to a variance before its root is taken"] = 1e-5
    tied: Annotated[bool, "whether the next token is told by the embedding of tokens"] = True

    def __post_init__(self) -> None:
        check(self, "recipe.model", _BAD_RECIPE)
        turned = self.head * self.turned
        for wrong, why in (
            (self.width % self.heads, "width must be a multiple of model.heads"),
            (self.heads % self.groups, "groups must be a divisor of model.heads"),
            (
                self.groups != self.heads and self.kind in (NEOX, GPT2),
                f"groups of {self.kind} must be its heads",
            ),
            (self.border >= self.vocabulary, "border must be below model.vocabulary"),
            (self.context >= self.places, "context must be below model.places"),
            (self.turned < 1.0 and self.kind != NEOX, f"turned of {self.kind} must be 1"),
            (turned % 2 and self.kind != GPT2, "turned must leave an even number of a head's dimensions"),
        ):
            if wrong:
                raise _BAD_RECIPE(f"recipe: model.{why}", f"correct model.{why.split()[0]}")

    @property
    def head(self) -> int:
        """Dimensions of a head."""
        return self.width // self.heads

    @property
    def keys(self) -> int:
        """Dimensions of all keys of a token, and of all values."""
        return self.head * self.groups


@dataclass(frozen=True, slots=True)
class Adapters:
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): W x + alpha / rank * B A x, of which A and B are
    the model's parameters. W is the backbone's, which every node that trains or measures holds itself."""

    backbone: Annotated[
        str,
        Form(r"[0-9a-f]{64}", "64 hex digits"),
        "SHA-256 of the backbone's file, as `jepanet recipe from-backbone` writes it",
    ]
    rank: Annotated[int, Range(1, 256), "columns of A and B"] = 8
    alpha: Annotated[float, Range(0.01, 1024.0), "weight of an adapter, times its rank"] = 16.0
    targets: Annotated[
        tuple[Annotated[str, Size(1, 32)], ...],
        Size(1, 7),
        "linear layers of every block beside which adapters stand, in the order of their names",
    ] = ("q_proj", "v_proj")

    def __post_init__(self) -> None:
        check(self, "recipe.adapters", _BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class BackboneSizes:
    """All that a backbone reads of a recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    model: Architecture = Architecture()
    objective: PairObjective = USUAL_OBJECTIVE
    pairs: Annotated[int, Range(2, 4096), "pairs of texts in a batch"] = 32
    adapters: Annotated[
        Adapters | None, LeftOut(), "what is trained in place of the backbone's own weights"
    ] = None

    def __post_init__(self) -> None:
        check(self, "recipe", _BAD_RECIPE)
        if self.adapters is None:
            return
        there, wanted = LAYERS[self.model.kind], self.adapters.targets
        if not set(wanted) <= set(there) or list(wanted) != sorted(set(wanted)):
            raise _BAD_RECIPE(
                f"recipe: adapters.targets of {self.model.kind} must be some of {', '.join(there)}, "
                "each once and in this order",
                "correct adapters.targets",
            )
