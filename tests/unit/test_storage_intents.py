"""Transaction intents survive a restart as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.intents import Intent, IntentState
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Address

pytestmark = pytest.mark.unit

SENDER = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
INTENT = Intent(
    key="commit:1",
    sender=SENDER,
    chain_id=31337,
    nonce=4,
    to="0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    data=b"\x01\x02",
    value=10**27,  # wei that no 64-bit integer holds
    gas=90_000,
    max_fee=2**70,
    max_priority_fee=10**9,
    hashes=(b"\xaa" * 32,),
    raws=(b"\x02\xf8",),
    state=IntentState.SENT,
    block_number=None,
    error=None,
    created=1_700_000_000.25,
)


def test_an_intent_survives_a_restart_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    replaced = replace(
        INTENT,
        hashes=(*INTENT.hashes, b"\xbb" * 32),
        raws=(*INTENT.raws, b""),
        state=IntentState.MINED,
        block_number=12,
    )
    with Journal.open(path) as journal:
        store = JournalIntents(journal)
        store.put(INTENT)
        assert store.get(INTENT.key) == INTENT
        store.put(replace(INTENT, key="other", nonce=5))
        store.put(replaced)
    with Journal.open(path) as journal:
        store = JournalIntents(journal)
        assert [intent.key for intent in store.intents(SENDER.lower())] == ["commit:1", "other"]
        assert store.get("commit:1") == replaced
        assert store.get("unknown") is None
        assert store.intents("0x0000000000000000000000000000000000000001") == []


def test_a_state_that_nobody_writes_is_refused(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        store = JournalIntents(journal)
        store.put(INTENT)
        with journal.database.transaction() as sql:
            sql.execute("UPDATE intents SET state = 'lost'")
        with pytest.raises(ValueError, match="lost"):
            store.get(INTENT.key)


@pytest.mark.parametrize("change", [{"sender": "0x" + "11" * 20}, {"chain_id": 1}])
def test_a_key_cannot_pass_to_another_sender_or_chain(tmp_path: Path, change: dict[str, object]) -> None:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        store = JournalIntents(journal)
        store.put(INTENT)
        with pytest.raises(ValueError, match="another sender or chain"):
            store.put(replace(INTENT, **change))  # type: ignore[arg-type]  # one field at a time
        assert store.get(INTENT.key) == INTENT
