"""What a configuration of `transformers` says, as the part `model` of a recipe of family `backbone`.

A recipe's numbers build a closed list of architectures. A configuration that asks for anything else is
refused with the key that asks for it: a model that is built almost right computes something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jepanet.errors import Exit, Fatal

Config = Mapping[str, object]
Tree = dict[str, object]


def model_tree(config: Config, *, context: int, latent: int, border: int | None) -> Tree:
    """The recipe's table `model`, unchecked: whoever reads the recipe checks its bounds.

    `config`: with every field, as `PretrainedConfig.to_dict` gives it. `border`: None for the token that the
    configuration begins texts with, else ends them with.

    Raises:
        Fatal: no architecture that a recipe builds, or one with something a recipe does not say (`CONFIG`).
    """
    kind = config.get("model_type")
    if kind not in _READ:
        raise refused(
            f"its architecture is {kind!r}, and recipes build {', '.join(_READ)}", "choose another model"
        )
    # Code of the folder's own, and weights in other numbers than the architecture's.
    for key in ("auto_map", "quantization_config"):
        if config.get(key):
            raise refused(f"its configuration has {key!r}", "choose a plain copy of the model")
    own = _READ[str(kind)](config)
    places = own["places"]
    if isinstance(places, int):
        context = min(context, places - 1)
    found = {"kind": kind, "context": context, "latent": latent, **own}
    found["border"] = _border(config) if border is None else border
    found["tied"] = config.get("tie_word_embeddings")
    return found


def refused(why: str, remedy: str) -> Fatal:
    """Of a folder or file that no recipe can be made from."""
    return Fatal(f"this is no backbone: {why}", remedy=remedy, code=Exit.CONFIG)


def _llama(config: Config) -> Tree:
    _only(config, {"hidden_act": ("silu",), "attention_bias": (False, None), "mlp_bias": (False, None)})
    _only(config, {"use_sliding_window": (False, None)})
    if set(_items(config.get("layer_types"))) - {"full_attention"}:
        raise refused("its configuration has windows of attention (layer_types)", "choose another model")
    width, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if isinstance(width, int) and isinstance(heads, int) and heads:
        _only(config, {"head_dim": (width // heads, None)})
    theta, _ = _turning(config)
    return {
        "vocabulary": config.get("vocab_size"),
        "places": config.get("max_position_embeddings"),
        "width": width,
        "depth": config.get("num_hidden_layers"),
        "heads": heads,
        "groups": config.get("num_key_value_heads") or heads,
        "hidden": config.get("intermediate_size"),
        "theta": theta,
        "epsilon": config.get("rms_norm_eps"),
    }


def _gpt_neox(config: Config) -> Tree:
    _only(config, {"hidden_act": ("gelu",), "use_parallel_residual": (True,), "attention_bias": (True,)})
    theta, turned = _turning(config)
    found = {
        "vocabulary": config.get("vocab_size"),
        "places": config.get("max_position_embeddings"),
        "width": config.get("hidden_size"),
        "depth": config.get("num_hidden_layers"),
        "heads": config.get("num_attention_heads"),
        "groups": config.get("num_attention_heads"),
        "hidden": config.get("intermediate_size"),
        "theta": theta,
        "epsilon": config.get("layer_norm_eps"),
    }
    return found if turned == 1 else {**found, "turned": turned}


def _gpt2(config: Config) -> Tree:
    _only(config, {"activation_function": ("gelu_new",), "scale_attn_weights": (True,)})
    no = (False, None)
    _only(config, {"scale_attn_by_inverse_layer_idx": no, "reorder_and_upcast_attn": no})
    _only(config, {"add_cross_attention": no})
    width = config.get("n_embd")
    return {
        "vocabulary": config.get("vocab_size"),
        "places": config.get("n_positions"),
        "width": width,
        "depth": config.get("n_layer"),
        "heads": config.get("n_head"),
        "groups": config.get("n_head"),
        "hidden": config.get("n_inner") or (4 * width if isinstance(width, int) else None),
        "epsilon": config.get("layer_norm_epsilon"),
    }


_READ: Mapping[str, Callable[[Config], Tree]] = {
    "llama": _llama,
    "qwen2": _llama,
    "gpt_neox": _gpt_neox,
    "gpt2": _gpt2,
}


def _only(config: Config, allowed: Mapping[str, tuple[object, ...]]) -> None:
    for key, values in allowed.items():
        if config.get(key) not in values:
            raise refused(
                f"its configuration has {key} = {config.get(key)!r}, and recipes build {values[0]!r} alone",
                "choose another model",
            )


def _turning(config: Config) -> tuple[object, object]:
    """Longest wave of the places, and which share of a head is turned."""
    said = config.get("rope_parameters")
    given: Config = said if isinstance(said, dict) else {}
    if given.get("rope_type", "default") != "default":
        raise refused(f"its places are scaled (rope_type {given['rope_type']!r})", "choose another model")
    return given.get("rope_theta", 10_000.0), given.get("partial_rotary_factor", 1.0)


def _border(config: Config) -> object:
    for key in ("bos_token_id", "eos_token_id"):
        value = config.get(key)
        if value is not None:
            return value[0] if isinstance(value, list) and value else value
    raise refused("its configuration names no token that begins or ends a text", "name it with --border")


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []
