"""The tables of the journal. A migration, once released, never changes: add the next one."""

from __future__ import annotations

from jepanet.storage.database import Schema
from jepanet.storage.upgrades.events_once import ReadLog, store_events_once

# Amounts of wei are text: they do not fit SQLite's 64-bit integers. Accounts compare without case, so
# that two spellings of one address are one account. Sequence numbers are never used twice
# (AUTOINCREMENT), so a snapshot's number stays comparable after a rewind deleted the newest facts.
_FIRST = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    """CREATE TABLE blocks (
        number INTEGER PRIMARY KEY CHECK (number >= 0),
        hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
        parent BLOB NOT NULL CHECK (length(parent) = 32),
        timestamp INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE logs (
        block_hash BLOB NOT NULL REFERENCES blocks (hash) ON DELETE CASCADE,
        log_index INTEGER NOT NULL,
        block_number INTEGER NOT NULL,
        address TEXT NOT NULL,
        topics BLOB NOT NULL CHECK (length(topics) % 32 = 0),
        data BLOB NOT NULL,
        tx_hash BLOB NOT NULL CHECK (length(tx_hash) = 32),
        PRIMARY KEY (block_hash, log_index)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX logs_in_order ON logs (block_number, log_index)",
    """CREATE TABLE inputs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        tag TEXT NOT NULL,
        payload TEXT NOT NULL,
        block_number INTEGER
    ) STRICT""",
    "CREATE INDEX inputs_of_chain ON inputs (block_number) WHERE block_number IS NOT NULL",
    "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT",
    """CREATE TABLE outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        tag TEXT NOT NULL,
        payload TEXT NOT NULL,
        round_id INTEGER,
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'rejected')),
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        error TEXT
    ) STRICT""",
    "CREATE INDEX outbox_due ON outbox (not_before) WHERE state = 'pending'",
    "CREATE INDEX outbox_of_round ON outbox (round_id)",
    """CREATE TABLE intents (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        sender TEXT NOT NULL COLLATE NOCASE,
        chain_id INTEGER NOT NULL,
        nonce INTEGER NOT NULL,
        receiver TEXT NOT NULL,
        data BLOB NOT NULL,
        value TEXT NOT NULL,
        gas INTEGER NOT NULL,
        max_fee TEXT NOT NULL,
        max_priority_fee TEXT NOT NULL,
        hashes TEXT NOT NULL,
        raws TEXT NOT NULL,
        state TEXT NOT NULL,
        block_number INTEGER,
        error TEXT,
        created REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX intents_of_sender ON intents (sender)",
    """CREATE TABLE salts (
        round_id INTEGER NOT NULL,
        solver TEXT NOT NULL COLLATE NOCASE,
        digest BLOB NOT NULL CHECK (length(digest) = 32),
        salt BLOB NOT NULL CHECK (length(salt) = 32),
        PRIMARY KEY (round_id, solver)
    ) STRICT""",
    """CREATE TABLE signatures (
        kind TEXT NOT NULL,
        round_id INTEGER NOT NULL,
        subject TEXT NOT NULL COLLATE NOCASE,
        digest BLOB NOT NULL CHECK (length(digest) = 32),
        signature BLOB NOT NULL,
        PRIMARY KEY (kind, round_id, subject)
    ) STRICT""",
    # The last line of defence: no statement, of this program or typed by hand, alters these rows.
    *(
        f"CREATE TRIGGER {table}_never_{verb} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are immutable'); END"
        for table in ("salts", "signatures")
        for verb in ("UPDATE", "DELETE")
    ),
    # What a lossy codec left out of a sealed delta (error feedback), and the residual that went into it.
    """CREATE TABLE residuals (
        round_id INTEGER NOT NULL,
        solver TEXT NOT NULL COLLATE NOCASE,
        project_id INTEGER NOT NULL,
        codec TEXT NOT NULL,
        digest BLOB NOT NULL CHECK (length(digest) = 32),
        before BLOB CHECK (length(before) = 32),
        base BLOB NOT NULL CHECK (length(base) = 32),
        PRIMARY KEY (round_id, solver),
        FOREIGN KEY (round_id, solver) REFERENCES salts (round_id, solver)
    ) STRICT""",
    """CREATE TABLE notes (
        round_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (round_id, name)
    ) STRICT""",
)

# A wait is no date: a clock that was set back held retries up for as long.
_WITHOUT_DATES = (
    "DROP INDEX outbox_due",
    "ALTER TABLE outbox DROP COLUMN not_before",
    "CREATE INDEX outbox_pending ON outbox (position) WHERE state = 'pending'",
)

# Drawn before training, which depends on it: training again after a crash makes the same delta. The same salt
# is sealed with the delta; one that an older release has sealed has a row in `salts` alone.
_DRAWN_SALTS = (
    """CREATE TABLE drawn_salts (
        round_id INTEGER NOT NULL,
        solver TEXT NOT NULL COLLATE NOCASE,
        salt BLOB NOT NULL CHECK (length(salt) = 32),
        PRIMARY KEY (round_id, solver)
    ) STRICT""",
    *(
        f"CREATE TRIGGER drawn_salts_never_{verb} BEFORE {verb} ON drawn_salts "
        f"BEGIN SELECT RAISE(ABORT, 'drawn_salts are immutable'); END"
        for verb in ("UPDATE", "DELETE")
    ),
)


def journal_schema(read_log: ReadLog | None) -> Schema:
    """The journal's schema. `read_log`: decodes a log that an earlier version stored."""
    return Schema(
        what="journal",
        application_id=0x6A65706A,  # "jepj"
        migrations=(_FIRST, _WITHOUT_DATES, _DRAWN_SALTS, lambda sql: store_events_once(sql, read_log)),
        remedy="stop the node and restore the journal from a backup; without one, keep the damaged file: it "
        "holds the salts of open commitments. An empty journal follows the chain again from the start",
    )
