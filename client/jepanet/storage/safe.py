"""What must never be lost or changed: the salts of commitments and the signatures of this node.

Both are on the disk when the call returns, and are written before the transaction or message that depends
on them leaves the node. A lost salt is a lost bond; a second signature on another result is a slashed stake.
"""

from __future__ import annotations

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.storage.database import Database
from jepanet.storage.held import may_sign
from jepanet.storage.rows import StoredResidual, StoredSalt


class Safe:
    """Salts by (round, solver), signatures by (kind, round, subject). Accounts compare caseless."""

    _db: Database

    def draw_salt(self, round_id: int, solver: str, fresh: bytes) -> bytes:
        """The salt that `solver` trains and commits with in a round: `fresh`, unless one was drawn before.

        On the disk when the call returns, so that training may begin: whatever a crash interrupts is trained
        again with the same salt.

        Raises:
            ValueError: `fresh` is not 32 bytes.
        """
        with self._db.transaction() as sql:
            sql.execute(
                "INSERT INTO drawn_salts (round_id, solver, salt) VALUES (?, ?, ?) "
                "ON CONFLICT (round_id, solver) DO NOTHING",
                (round_id, solver, fresh),
            )
            (kept,) = sql.execute(
                "SELECT salt FROM drawn_salts WHERE round_id = ? AND solver = ?", (round_id, solver)
            ).fetchone()
        return bytes(kept)

    def put_salt(
        self, round_id: int, solver: str, digest: bytes, salt: bytes, residual: StoredResidual | None = None
    ) -> None:
        """Keeps the 32-byte delta digest and 32-byte salt of one commitment, for good; with them what the
        delta's codec left out, so that the next delta builds on a residual if and only if this one is sealed.

        The same values again change nothing. Ask `salt` first: after a crash the stored pair, not a fresh
        one, is what has to be committed and revealed.

        Raises:
            Fatal: this solver already sealed other values for this round.
            ValueError: digest or salt is not 32 bytes.
        """
        with self._db.transaction() as sql:
            sql.execute(
                "INSERT INTO salts (round_id, solver, digest, salt) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (round_id, solver) DO NOTHING",
                (round_id, solver, digest, salt),
            )
            stored = sql.execute(
                "SELECT digest, salt FROM salts WHERE round_id = ? AND solver = ?", (round_id, solver)
            ).fetchone()
            if stored != (digest, salt):
                raise Fatal(
                    # Not which: whoever learns a digest before its reveal can commit to it first.
                    f"{solver} has already sealed a delta for round {round_id}; another delta or salt cannot "
                    "take its place",
                    remedy="commit and reveal the sealed one; a solver commits once a round",
                    code=Exit.REJECTED,
                )
            if residual is not None:
                sql.execute(
                    "INSERT INTO residuals (round_id, solver, project_id, codec, digest, before, base) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (round_id, solver) DO NOTHING",
                    (
                        round_id,
                        solver,
                        residual.project_id,
                        residual.codec,
                        residual.digest,
                        residual.before,
                        residual.base,
                    ),
                )

    def salt(self, round_id: int, solver: str) -> tuple[bytes, bytes] | None:
        """(digest, salt) that `solver` sealed for a round."""
        found = self._db.row(
            "SELECT digest, salt FROM salts WHERE round_id = ? AND solver = ?", (round_id, solver)
        )
        return None if found is None else (found[0], found[1])

    def salts(self) -> list[StoredSalt]:
        """Every sealed commitment, by round and solver."""
        rows = self._db.rows("SELECT round_id, solver, digest, salt FROM salts ORDER BY round_id, solver")
        return [StoredSalt(*row) for row in rows]

    def newest_residual(
        self, project_id: int, solver: str, before_round: int, base: bytes
    ) -> StoredResidual | None:
        """What the newest delta left out that `solver` sealed in a project before a round from another base.

        Of a delta from the same base nothing was merged: its whole change is about to be trained again.
        """
        found = self._db.row(
            "SELECT project_id, codec, digest, before, base FROM residuals WHERE project_id = ? "
            "AND solver = ? AND round_id < ? AND base <> ? ORDER BY round_id DESC LIMIT 1",
            (project_id, solver, before_round, base),
        )
        return None if found is None else StoredResidual(*found)

    def carried_residuals(self, solver: str, projects: int) -> set[bytes]:
        """Digests of what the next deltas of `solver` may build on, in the projects it sealed last.

        Of each the newest residual and, for the case that nothing is merged, the one that went into it.
        """
        rows = self._db.rows(
            "SELECT digest, before, max(round_id) FROM residuals WHERE solver = ? "
            "GROUP BY project_id ORDER BY max(round_id) DESC LIMIT ?",
            (solver, projects),
        )
        return {digest for row in rows for digest in row[:2] if digest is not None}

    def put_signature(self, kind: str, round_id: int, subject: str, digest: bytes, signature: bytes) -> None:
        """Keeps a signature over a 32-byte digest before it is shown to anybody; the first one stays.

        `kind` and `subject` say what the signer may sign only once a round (a result; a score of one solver).

        Raises:
            Rejected: `equivocation`: another digest was signed for the same (kind, round, subject);
                `restored`: the journal comes from a backup, and what was signed after it is not known.
            ValueError: the digest is not 32 bytes.
        """
        with self._db.transaction() as sql:
            known = "SELECT 1 FROM signatures WHERE kind = ? AND round_id = ? AND subject = ?"
            if sql.execute(known, (kind, round_id, subject)).fetchone() is None:
                may_sign(sql, kind, round_id)
            sql.execute(
                "INSERT INTO signatures (kind, round_id, subject, digest, signature) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, round_id, subject) DO NOTHING",
                (kind, round_id, subject, digest, signature),
            )
            (stored,) = sql.execute(
                "SELECT digest FROM signatures WHERE kind = ? AND round_id = ? AND subject = ?",
                (kind, round_id, subject),
            ).fetchone()
            if stored != digest:
                raise Rejected(
                    f"{kind} of {subject or 'this node'} in round {round_id} is already signed over "
                    f"0x{stored.hex()}; signing 0x{digest.hex()} as well would be slashed",
                    reason="equivocation",
                )

    def signature(self, kind: str, round_id: int, subject: str) -> tuple[bytes, bytes] | None:
        """(digest, signature) given for (kind, round, subject)."""
        found = self._db.row(
            "SELECT digest, signature FROM signatures WHERE kind = ? AND round_id = ? AND subject = ?",
            (kind, round_id, subject),
        )
        return None if found is None else (found[0], found[1])
