"""What can be known before a start is said before it, and before anything is paid or trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal
from jepanet.node.config import P2PSection
from jepanet.node.preflight import check_network
from jepanet.node.projects import create_project, open_dataset
from jepanet.node.rounds import challenge, export_model

pytestmark = pytest.mark.unit

PEER = "/ip4/127.0.0.1/tcp/4801/p2p/16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg"


def test_usable_addresses_pass() -> None:
    check_network(P2PSection(bootstrap=(PEER,)))
    check_network(P2PSection(allow_isolated=True))


@pytest.mark.parametrize(
    ("section", "code", "words"),
    [
        (P2PSection(), Exit.NO_PEERS, "allow_isolated"),
        (P2PSection(bootstrap=("127.0.0.1:4801",)), Exit.CONFIG, "p2p.bootstrap"),
        (P2PSection(bootstrap=(PEER.split("/p2p/")[0],)), Exit.CONFIG, "p2p.bootstrap"),
        (P2PSection(listen="0.0.0.0:4701", bootstrap=(PEER,)), Exit.CONFIG, "p2p.listen"),
        (P2PSection(listen="/ip4/0.0.0.0/udp/4701", bootstrap=(PEER,)), Exit.CONFIG, "p2p.listen"),
    ],
)
def test_an_address_nobody_could_use_names_its_key(section: P2PSection, code: Exit, words: str) -> None:
    with pytest.raises(Fatal) as caught:
        check_network(section)
    assert caught.value.code is code
    assert words in (caught.value.remedy or "")


def test_a_folder_that_is_no_dataset_is_not_to_be_removed(tmp_path: Path) -> None:
    """The remedy of a damaged dataset is to remove the folder: not of one that holds, say, wallets."""
    with pytest.raises(Fatal, match="holds no dataset") as caught:
        open_dataset(tmp_path)
    assert caught.value.code is Exit.DATASET
    assert "remove" not in (caught.value.remedy or "")


async def test_a_project_without_verifiers_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="needs verifiers") as caught:
        await create_project(
            tmp_path / "none.toml", tmp_path / "none", recipe="tworoom-tiny", name="x",
            verifier_set=None, verifiers=("0x01",), threshold=None,
        )  # fmt: skip
    assert caught.value.code is Exit.USAGE


async def test_a_model_is_not_fetched_for_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="no folder") as caught:
        await export_model(
            tmp_path / "none.toml",
            None,
            tmp_path / "nowhere" / "model",
            inputs=tmp_path,
            peers=(),
            offline=True,
        )
    assert caught.value.remedy


async def test_evidence_that_is_no_digest_is_refused_before_the_chain_is_asked(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="foo") as caught:
        await challenge(tmp_path / "none.toml", 1, "foo")
    assert caught.value.code is Exit.USAGE
