"""The results of studies in one SQLite file: every finished point, safe once it is written.

A result is stored under the content it was computed from, so any study that needs it again finds
it. Beside the results stand the points of every study, by number.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simulator.errors import UserError
from simulator.study.axis import Choices
from simulator.study.code_version import CODE_SHA256
from simulator.study.outcome import METRICS, Outcome, Status
from simulator.version import __version__

APPLICATION_ID = 0x53696D42
"""Marks an SQLite file as one of ours ("SimB")."""
STORE_VERSION = 1
PATIENCE_S = 60.0
"""How long to wait while another process writes to the same store."""
LOOKUP_AT_ONCE = 500

_SCHEMA = f"""
CREATE TABLE results (
  key TEXT PRIMARY KEY, status TEXT NOT NULL, reason TEXT NOT NULL, engine TEXT NOT NULL,
  version TEXT NOT NULL, code_sha256 TEXT NOT NULL,
  {", ".join(f"{name} NUMERIC" for name in METRICS)}
) WITHOUT ROWID;
CREATE TABLE studies (study TEXT PRIMARY KEY, description TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE points (
  study TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, choices TEXT NOT NULL,
  PRIMARY KEY (study, number)
) WITHOUT ROWID;
"""
_RESULT_COLUMNS = ("key", "status", "reason", "engine", "version", "code_sha256", *METRICS)
_INSERT_RESULT = (
    f"INSERT OR IGNORE INTO results ({', '.join(_RESULT_COLUMNS)}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(_RESULT_COLUMNS))})"
)


class StoreError(UserError):
    """A store that cannot be read or written; what was committed stays."""


class Store:
    """One open store; a context manager. Several processes may have the same one open."""

    def __init__(self, path: Path) -> None:
        """Open a store, or make one.

        Raises:
            StoreError: no store of this version, or one that cannot be opened.
        """
        self.path = path
        with self._explained():
            self._db = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def describe(self, study: str, description: dict[str, Any]) -> None:
        """Keep what a study is, for readers of the file."""
        row = (study, json.dumps(description, sort_keys=True))
        with self._explained():
            self._db.execute("INSERT OR IGNORE INTO studies VALUES (?, ?)", row)

    def known(self, keys: Sequence[str]) -> dict[str, Outcome]:
        """Those of the results that are there."""
        found: dict[str, Outcome] = {}
        columns = ", ".join(("key", "status", "reason", "engine", *METRICS))
        for begin in range(0, len(keys), LOOKUP_AT_ONCE):
            part = keys[begin : begin + LOOKUP_AT_ONCE]
            marks = ", ".join("?" * len(part))
            query = f"SELECT {columns} FROM results WHERE key IN ({marks})"  # noqa: S608
            with self._explained():
                for row in self._db.execute(query, part):
                    found[row[0]] = _outcome(row)
        return found

    def finished(self, study: str, first: int, last: int) -> set[int]:
        """Numbers of the study's finished points from first to before last."""
        query = "SELECT number FROM points WHERE study = ? AND number >= ? AND number < ?"
        with self._explained():
            return {number for (number,) in self._db.execute(query, (study, first, last))}

    def add(
        self, study: str, points: Sequence[tuple[int, Choices]], outcomes: Sequence[Outcome]
    ) -> None:
        """Commit finished points: all of them or, if that fails, none.

        Of two processes that finish the same point the first one's is kept; they are equal.

        Raises:
            StoreError: the disk is full, or the file cannot be written.
        """
        results = [
            (o.key, o.status.value, o.reason, o.engine, __version__, CODE_SHA256, *o.metrics)
            for o in outcomes
        ]
        numbered = [
            (study, number, outcome.key, json.dumps(choices))
            for (number, choices), outcome in zip(points, outcomes, strict=True)
        ]
        with self._explained(), self._transaction():
            self._db.executemany(_INSERT_RESULT, results)
            self._db.executemany("INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?)", numbered)

    def rows(
        self, study: str, first: int = 0, last: int = 2**62
    ) -> Iterator[tuple[int, Choices, Outcome]]:
        """The study's points from first to before last, in order: number, choices, outcome."""
        columns = ", ".join(f"results.{name}" for name in ("key", "status", "reason", "engine"))
        metrics = ", ".join(f"results.{name}" for name in METRICS)
        query = (
            f"SELECT number, choices, {columns}, {metrics} FROM points "  # noqa: S608
            "JOIN results USING (key) WHERE study = ? "
            "AND number >= ? AND number < ? ORDER BY number"
        )
        with self._explained():
            for number, choices, *row in self._db.execute(query, (study, first, last)):
                yield number, json.loads(choices), _outcome(row)

    def counts(self, study: str) -> dict[str, int]:
        """Finished points of a study by engine; those that are infeasible under `infeasible`."""
        query = (
            "SELECT CASE status WHEN 'ok' THEN engine ELSE status END AS what, count(*) "
            "FROM points JOIN results USING (key) WHERE study = ? GROUP BY what ORDER BY what"
        )
        with self._explained():
            return dict(self._db.execute(query, (study,)).fetchall())

    def fastest(self, study: str) -> tuple[int, Choices, Outcome] | None:
        """The feasible point of least mean latency, the first of equals; None without one."""
        query = (
            "SELECT number FROM points JOIN results USING (key) WHERE study = ? "
            "AND status = 'ok' ORDER BY latency_mean_ps, number LIMIT 1"
        )
        with self._explained():
            found = self._db.execute(query, (study,)).fetchone()
        return next(self.rows(study, found[0], found[0] + 1)) if found else None

    def _prepare(self) -> None:
        db = self._db
        db.execute(f"PRAGMA busy_timeout = {int(PATIENCE_S * 1000)}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {STORE_VERSION}")
            elif application != APPLICATION_ID:
                raise StoreError(f"{self.path}: is an SQLite file, but no store of studies")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != STORE_VERSION:
                raise StoreError(
                    f"{self.path}: store version {version}, this simulator reads {STORE_VERSION}; "
                    "give another --out, or use the simulator that made it"
                )
            self._add_missing_columns()

    def _add_missing_columns(self) -> None:
        """Bring a store from before a metric was added up to date; its old results lack it."""
        present = [row[1] for row in self._db.execute("PRAGMA table_info(results)")]
        unknown = sorted(set(present) - set(_RESULT_COLUMNS))
        if unknown:
            raise StoreError(
                f"{self.path}: was made by a newer simulator: it holds {', '.join(unknown)}; "
                "give another --out, or use that simulator"
            )
        for name in METRICS:
            if name not in present:
                self._db.execute(f"ALTER TABLE results ADD COLUMN {name} NUMERIC")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith("SQLITE_FULL"):
                advice = "the disk is full; finished points are kept: make room and start again"
            elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                advice = f"another process has held it for {PATIENCE_S:.0f} s"
            elif name.startswith("SQLITE_NOTADB"):
                advice = "is no SQLite file; give another --out"
            else:
                advice = f"cannot be used: {error}"
            raise StoreError(f"{self.path}: {advice}") from error


def _outcome(row: Sequence[Any]) -> Outcome:
    key, status, reason, engine, *metrics = row
    return Outcome(key, Status(status), reason, engine, tuple(metrics))
