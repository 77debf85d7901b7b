"""A joint-embedding predictive model of pictures and language (VL-JEPA; Chen et al. 2025, arXiv:2512.10942).

    picture ──encoder.images──▶ tokens ──┐
    question ─────────────────────────── predictor ──▶ embedding of the answer, as it is guessed
    answer ──encoder.texts──▶ its embedding, and what the encoder of the round's base makes of it

Embeddings have length one. All questions of a scene look at tokens of its picture that are made once; none
hears of another one. A text is read word by word without a look ahead, so that padding tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.data.shards import Shard
from jepanet.learning.families.vision_language.objective import vision_language_objective
from jepanet.learning.families.vision_language.sizes import VisionLanguageModelSizes, VisionLanguageSizes
from jepanet.learning.family import Batch, Encoded, Terms, Weights
from jepanet.learning.frozen_base import FrozenBase
from jepanet.learning.transformer.block import Block
from jepanet.learning.transformer.shapes import place_codes
from jepanet.tensors import Arrays

_SCENES = 64
"""Scenes encoded at once when a shard is compared, where their widest layers have no more than `_NUMBERS`."""
_NUMBERS = 1 << 26


class Pictures(nn.Module):
    """Patches [B, N, 3 * P * P] -> tokens [B, N, W]."""

    def __init__(self, sizes: VisionLanguageModelSizes) -> None:
        super().__init__()
        self.register_buffer(
            "places", torch.from_numpy(place_codes(sizes.side, sizes.width)), persistent=False
        )
        self.patch = nn.Linear(3 * sizes.patch**2, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, sizes.heads) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.width)

    def forward(self, patches: Tensor) -> Tensor:
        codes: Tensor = self.places  # type: ignore[assignment]
        tokens = self.patch(patches) + codes
        for block in self.blocks:
            tokens = block(tokens)
        encoded: Tensor = self.norm(tokens)
        return encoded


class Texts(nn.Module):
    """Texts int64 [..., L] -> embeddings of length one [..., D]."""

    def __init__(self, sizes: VisionLanguageModelSizes) -> None:
        super().__init__()
        width = sizes.text_width
        self.tokens = nn.Embedding(sizes.vocabulary, width)
        self.places = nn.Embedding(sizes.answer, width)
        self.blocks = nn.ModuleList(
            Block(width, sizes.text_heads, causal=True) for _ in range(sizes.text_depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, sizes.latent)

    def forward(self, texts: Tensor) -> Tensor:
        flat = texts.flatten(0, -2)
        states = self.tokens(flat) + self.places.weight[: flat.shape[1]]
        for block in self.blocks:
            states = block(states)
        embedded = unit(self.head(mean_of(self.norm(states), flat)))
        return embedded.view(*texts.shape[:-1], -1)


class Look(nn.Module):
    """What words [B, M, W] take from tokens of a picture [B, N, V], by attention, and add to themselves."""

    def __init__(self, width: int, seen: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.ask = nn.Linear(width, width)
        self.offer = nn.Linear(seen, 2 * width)
        self.join = nn.Linear(width, width)

    def forward(self, words: Tensor, tokens: Tensor) -> Tensor:
        query = _split(self.ask(self.before(words)), self.heads)
        key, value = (_split(item, self.heads) for item in self.offer(tokens).chunk(2, dim=-1))
        heard = functional.scaled_dot_product_attention(query, key, value)
        told: Tensor = self.join(heard.transpose(1, 2).flatten(2))
        return words + told


class Predictor(nn.Module):
    """Tokens of pictures [B, N, V] and questions int64 [B, Q, L] -> answers as guessed, of length one,
    [B, Q, D]."""

    def __init__(self, sizes: VisionLanguageModelSizes) -> None:
        super().__init__()
        width, heads, depth = sizes.predictor_width, sizes.predictor_heads, sizes.predictor_depth
        self.tokens = nn.Embedding(sizes.vocabulary, width)
        self.places = nn.Embedding(sizes.query, width)
        self.looks = nn.ModuleList(Look(width, sizes.width, heads) for _ in range(depth))
        self.blocks = nn.ModuleList(Block(width, heads, causal=True) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, sizes.latent)

    def forward(self, tokens: Tensor, questions: Tensor) -> Tensor:
        scenes, asked, long = questions.shape
        words = self.tokens(questions) + self.places.weight[:long]
        for look, block in zip(self.looks, self.blocks, strict=True):
            words = look(words.view(scenes, asked * long, -1), tokens)
            words = block(words.view(scenes * asked, long, -1))
        guessed = unit(self.head(mean_of(self.norm(words), questions.flatten(0, 1))))
        return guessed.view(scenes, asked, -1)


class VisionLanguageModel(nn.Module):
    """Encoders and predictor of one recipe, with their loss and what the score compares."""

    def __init__(self, sizes: VisionLanguageSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder = nn.ModuleDict({"images": Pictures(sizes.model), "texts": Texts(sizes.model)})
        self.predictor = Predictor(sizes.model)
        self.base: FrozenBase[Texts] | None = None
        """The answers' encoder of the round's base; None where there is none, in a training from scratch."""

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        """Loss of the scenes of a batch (`batches.py`). Nothing in it is drawn at random."""
        seen = batch.tensors
        predicted, answers, held = self._guessed(seen), self.encoder["texts"](seen["answers"]), None
        if self.base is not None:
            with torch.no_grad():
                held = self.base.module(seen["answers"])
        return vision_language_objective(predicted, answers, held, seen["kinds"], self.sizes.objective)

    def compare(self, shard: Shard) -> Encoded:
        """Embeddings of every answer, what is guessed of it from picture and question, and another scene's
        answer to the same question as a guess that sees nothing; all of length sqrt(D).

        Latents are those of the different answers of the shard, each once: some are far more frequent.
        """
        texts = [shard.array(name).astype(np.int64) for name in ("queries", "answers")]
        images, many = shard.array("images"), self._at_once()
        predicted, actual = [], []
        with torch.inference_mode():
            for first in range(0, shard.episodes, many):
                part = slice(first, first + many)
                given = [torch.tensor(images[part]), *(torch.from_numpy(item[part]) for item in texts)]
                names = ("images", "queries", "answers")
                seen = {name: item.to(self._device) for name, item in zip(names, given, strict=True)}
                predicted.append(self._guessed(seen).float().cpu().numpy())
                actual.append(self.encoder["texts"](seen["answers"]).float().cpu().numpy())
        long = self.sizes.model.latent**0.5
        guessed, answers = (np.concatenate(item).astype(np.float64) * long for item in (predicted, actual))
        places = np.unique(texts[1].reshape(-1, texts[1].shape[-1]), axis=0, return_index=True)[1]
        latents = answers.reshape(-1, answers.shape[-1])[places][:, None]
        return Encoded(latents, answers, guessed, unchanged=np.roll(answers, 1, axis=0))

    def _guessed(self, seen: Mapping[str, Tensor]) -> Tensor:
        guessed: Tensor = self.predictor(
            self.encoder["images"](self._patches(seen["images"])), seen["queries"]
        )
        return guessed

    def _at_once(self) -> int:
        """Scenes whose widest layers, and attention of every token to every other, fit into `_NUMBERS`."""
        sizes, asked = self.sizes.model, self.sizes.questions
        picture = sizes.tokens * (8 * sizes.width + sizes.heads * sizes.tokens)
        words = asked * sizes.query
        question = words * (8 * sizes.predictor_width + sizes.predictor_heads * (sizes.tokens + sizes.query))
        answer = asked * sizes.answer * (8 * sizes.text_width + sizes.text_heads * sizes.answer)
        return max(1, min(_SCENES, _NUMBERS // max(picture, question, answer)))

    def weights(self) -> Arrays:
        """The parameters as float32 arrays, in ascending name order."""
        state = self.state_dict()
        return {name: state[name].detach().cpu().numpy().copy() for name in sorted(state)}

    def _patches(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, S, S] -> [B, N, 3 * P * P] around 0, in the type of the weights."""
        side, patch = self.sizes.model.side, self.sizes.model.patch
        grid = images.view(-1, 3, side, patch, side, patch).permute(0, 2, 4, 1, 3, 5)
        flat = grid.reshape(-1, side * side, 3 * patch * patch).to(self.predictor.head.weight.dtype)
        return flat.sub_(127.5).div_(64.0)

    @property
    def _device(self) -> torch.device:
        return self.predictor.head.weight.device


def unit(vectors: Tensor) -> Tensor:
    """[..., D] at length one, float32 at least."""
    with torch.autocast(vectors.device.type, enabled=False):
        return functional.normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)), dim=-1)


def mean_of(states: Tensor, texts: Tensor) -> Tensor:
    """Mean [N, W] of the states [N, L, W] of a text's tokens int64 [N, L], without its padding."""
    inside = (texts != PADDING).unsqueeze(-1).to(states.dtype)
    mean: Tensor = (states * inside).sum(dim=1) / inside.sum(dim=1)
    return mean


def _split(words: Tensor, heads: int) -> Tensor:
    """[B, M, W] -> [B, H, M, W / H]."""
    batch, count, width = words.shape
    return words.view(batch, count, heads, width // heads).transpose(1, 2)


def load_vision_language_model(
    sizes: VisionLanguageSizes, weights: Weights, device: str = "cpu", base: Weights | None = None
) -> VisionLanguageModel:
    """A model on `device` with copies of `weights` (float32, shapes of `schema.parameter_shapes`), whose loss
    holds on to the answers' encoder of `base`."""
    with torch.random.fork_rng(devices=[]):  # layers draw initial weights, which are replaced at once
        model = VisionLanguageModel(sizes)
        held = None if base is None else Texts(sizes.model)
    model.load_state_dict(_tensors(weights, ""))
    if held is not None and base is not None:
        held.load_state_dict(_tensors(base, "encoder.texts."))
        model.base = FrozenBase(held.to(device))
    return model.to(device)


def _tensors(weights: Weights, prefix: str) -> dict[str, Tensor]:
    """Copies of the arrays whose names start with `prefix`, by the rest of the name."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(array))
        for name, array in weights.items()
        if name.startswith(prefix)
    }
