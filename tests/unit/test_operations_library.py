"""Inputs of a verification: named by their content, believed only if they have it, fetched again if not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from jepanet.cid import blake3_of, digest_of, to_cid
from jepanet.errors import Rejected, Transient
from jepanet.operations.reading.library import Library
from jepanet.types import Digest

pytestmark = pytest.mark.unit

CONTENT = b"a blob of the round"
DIGEST = digest_of(CONTENT)


class Peers:
    """Serve one blob, or lie about it."""

    def __init__(self, served: bytes | None) -> None:
        self.served, self.asked = served, 0

    async def fetch(self, digest: bytes, *, max_bytes: int, directory: Path) -> Path:
        self.asked += 1
        if self.served is None:
            raise Transient("nobody has it")
        path = directory / "fetched"
        path.write_bytes(self.served)
        return path


async def get(folder: Path, peers: Any, digest: Digest = DIGEST) -> bytes:
    async def connect() -> Any:
        return peers

    library = Library(folder, connect)
    return (await library.get("model", digest, "raw", max_bytes=100)).read_bytes()


async def test_a_state_is_believed_by_its_blake3(tmp_path: Path) -> None:
    name, peers = blake3_of([CONTENT]), Peers(CONTENT)
    for _ in range(2):
        assert await get(tmp_path, peers, name) == CONTENT
    assert peers.asked == 1
    (tmp_path / to_cid(name)).write_bytes(CONTENT[:-1])
    with pytest.raises(Rejected) as refused:
        await get(tmp_path, Peers(CONTENT[1:]), name)
    assert refused.value.reason == "altered-input"


@pytest.mark.parametrize("damage", [b"another blob ......", CONTENT[:5], b"", CONTENT * 10])
async def test_a_damaged_input_is_named_and_fetched_again(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / to_cid(DIGEST, "raw")
    path.write_bytes(damage)
    peers = Peers(CONTENT)
    with capture_logs() as lines:
        assert await get(tmp_path, peers) == CONTENT
        assert await get(tmp_path, peers) == CONTENT
    assert peers.asked == 1
    assert [(item["event"], item["path"]) for item in lines] == [("file.damaged", str(path))]


async def test_without_a_network_a_damaged_input_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / to_cid(DIGEST, "raw")).write_bytes(b"damaged")
    with pytest.raises(Rejected, match=r"^model: ") as caught:
        await get(tmp_path, None)
    assert caught.value.reason == "altered-input"
    with pytest.raises(Rejected) as caught:
        await get(tmp_path, Peers(b"damaged as well"))
    assert caught.value.reason == "altered-input"


async def test_a_missing_input_is_fetched_without_a_word(tmp_path: Path) -> None:
    with capture_logs() as lines:
        assert await get(tmp_path, Peers(CONTENT)) == CONTENT
    assert lines == []
