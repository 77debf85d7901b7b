"""Which tokens of an image are hidden and which are seen: I-JEPA's multi-block masks.

Assran et al. 2023, arXiv:2301.08243: target blocks of one size anywhere in the image, predicted from a large
block less all of them. All images of a draw have blocks of one size and as many seen tokens as the one that
has the fewest, so that a batch has no padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from jepanet.learning.families.image.sizes import Masks, block_size, seen_tokens

_LEAST = 10
"""Where the large block leaves fewer tokens than that to be seen, the whole image takes its place."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Numbers of tokens in an image, row by row, int64."""

    context: Tensor
    """[B, C], ascending: what is seen."""
    targets: Tensor
    """[B, K]: the blocks one after the other; what lies in two is there twice."""


def draw_masks(masks: Masks, side: int, images: int, generator: torch.Generator) -> Drawn:
    """Masks of `images` images of side x side tokens; every number comes from `generator`."""
    uniform = torch.rand(3, generator=generator).tolist()
    share = masks.target_low + uniform[0] * (masks.target_high - masks.target_low)
    longest = sqrt(masks.aspect)
    target = block_size(share, longest ** (2.0 * uniform[1] - 1.0), side)
    seen = block_size(masks.context + uniform[2] * (1.0 - masks.context), 1.0, side)
    targets = _placed(target, side, images, masks.blocks, generator)
    hidden = torch.zeros(images, side * side, dtype=torch.bool).scatter_(1, targets, True)
    allowed = torch.zeros_like(hidden).scatter_(1, _placed(seen, side, images, 1, generator), True) & ~hidden
    few = allowed.sum(dim=1, keepdim=True) < min(_LEAST, seen_tokens(masks, side))
    allowed |= few & ~hidden
    count = int(allowed.sum(dim=1).min())
    order = torch.rand(images, side * side, generator=generator).masked_fill_(~allowed, -1.0)
    context = order.topk(count, dim=1).indices.sort(dim=1).values
    return Drawn(context, targets)


def _placed(size: tuple[int, int], side: int, images: int, blocks: int, generator: torch.Generator) -> Tensor:
    """Token numbers [images, blocks * height * width] of blocks anywhere within an image."""
    height, width = size
    top = torch.randint(side - height + 1, (images, blocks, 1), generator=generator)
    left = torch.randint(side - width + 1, (images, blocks, 1), generator=generator)
    inside = torch.arange(height).unsqueeze(1) * side + torch.arange(width)
    return (top * side + left + inside.flatten()).flatten(1)
