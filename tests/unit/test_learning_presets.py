"""The recipes that ship: what networks were set up with keeps its digest, whatever its file looks like."""

from __future__ import annotations

import pytest

from jepanet.learning.presets import PRESETS, preset

pytestmark = pytest.mark.unit

DIGESTS = {
    "pusht": "8cf3b27bc5c70c072632ae5d56762de328c6856ea6e2dd297d7ccdfe19a41a90",
    "pusht-anneal": "f340f4071e1266babd7c83f5a7fe431ac346a8ebaccf599a34e78e5a0d5310d1",
    "tworoom": "10092249a83182adbb03eff263058c6fb15772c66e85f4ba4c880c237fc0755e",
    "tworoom-anneal": "76aca99cf69a0c6eee601fa2e9c4d413cf3fdeef0501cf7fe2012fc7dcb0c011",
    "tworoom-small": "5596890e3e4ce9bd1d9ae5290876ca33fde22138bc63cebb27423c52a39c1566",
    "tworoom-tiny": "01bdbc833363a03c0ce39e6fcba822490dd88fb6eb7cc8283c19006550806627",
}
"""Of every preset. A network's recipe is named by its digest: a preset that changes is another recipe."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_keeps_its_digest(name: str) -> None:
    assert name in DIGESTS, "a new preset is pinned here"
    assert preset(name).digest().hex() == DIGESTS[name]


def test_no_preset_is_lost() -> None:
    assert set(PRESETS) == set(DIGESTS)
