"""Every codec for deltas, by the name in a round's spec. A new one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.federation.deltas.bfloat import BF16
from jepanet.federation.deltas.contract import DeltaCodec, JointCodec
from jepanet.federation.deltas.exact import FP32
from jepanet.federation.deltas.lowrank import RANK50, RANK100, RANK200
from jepanet.federation.deltas.quantised import INT6, INT8
from jepanet.federation.deltas.topk import TOPK1, TOPK3, TOPK10

BY_ARRAY: Mapping[str, DeltaCodec] = {
    codec.name: codec for codec in (FP32, BF16, INT8, INT6, TOPK10, TOPK3, TOPK1)
}
"""Those that store every array for itself."""
JOINT: Mapping[str, JointCodec] = {codec.name: codec for codec in (RANK50, RANK100, RANK200)}
"""Those that store all arrays of a delta together."""
CODECS: Mapping[str, DeltaCodec | JointCodec] = {**BY_ARRAY, **JOINT}
