"""What is committed stays, whatever happens next."""

import sqlite3
import threading

import pytest

from simulator.study import store as store_module
from simulator.study.outcome import METRICS, Outcome, Status
from simulator.study.store import Store, StoreError


def outcome(key: str, value: float = 1.5) -> Outcome:
    return Outcome(key, Status.OK, "", "event", tuple(value + i for i in range(len(METRICS))))


def test_what_went_in_comes_out_in_order(tmp_path):
    infeasible = Outcome.infeasible("k2", "too small, by 3 B")
    with Store(tmp_path / "s.sqlite") as store:
        store.add("study", [(3, {"a.b": 1}), (1, {"a.b": None})], [outcome("k1"), infeasible])
        store.add("other", [(0, {})], [outcome("k1")])
    with Store(tmp_path / "s.sqlite") as store:
        rows = list(store.rows("study"))
        assert [row[0] for row in rows] == [1, 3]
        assert rows[0][1:] == ({"a.b": None}, infeasible)
        assert rows[1][1:] == ({"a.b": 1}, outcome("k1"))
        assert store.finished("study", 0, 3) == {1}
        assert set(store.known(["k1", "k3"])) == {"k1"}


def test_a_result_is_never_replaced(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        store.add("study", [(0, {})], [outcome("k")])
        store.add("again", [(0, {})], [outcome("k", 9)])
        assert store.known(["k"])["k"] == outcome("k")


def test_two_connections_may_write_at_once(tmp_path):
    path = tmp_path / "s.sqlite"
    Store(path).__exit__(None, None, None)

    def write(name: str) -> None:
        with Store(path) as store:
            for number in range(50):
                store.add(name, [(number, {})], [outcome(f"k{number}")])

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Store(path) as store:
        assert len(list(store.rows("a"))) == len(list(store.rows("b"))) == 50
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def fill(store: Store) -> int:
    """Add points until the disk is full; returns the number of the one that did not fit."""
    for number in range(10_000):
        try:
            store.add("study", [(number, {})], [outcome(f"k{number}")])
        except StoreError as error:
            if "disk is full; finished points are kept" in str(error):
                return number
            raise
    raise AssertionError("never full")


def test_a_full_disk_loses_only_what_it_could_not_hold(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store._db.execute("PRAGMA max_page_count = 20")  # SQLite then fails as on a full disk
        full = fill(store)
    with Store(path) as store:
        assert [row[0] for row in store.rows("study")] == list(range(full))
        store.add("study", [(full, {})], [outcome(f"k{full}")])
        assert full in store.finished("study", full, full + 1)


def test_files_that_are_no_stores_are_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    path.write_text("this is text, and long enough not to pass for an empty data base" * 20)
    with pytest.raises(StoreError, match="is no SQLite file"):
        Store(path)
    other = tmp_path / "o.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE mine (x)").connection.close()
    with pytest.raises(StoreError, match="no store of studies"):
        Store(other)
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "no" / "such" / "folder.sqlite")


def test_a_store_of_another_version_is_refused(tmp_path, monkeypatch):
    Store(tmp_path / "s.sqlite").__exit__(None, None, None)
    monkeypatch.setattr(store_module, "STORE_VERSION", 2)
    with pytest.raises(StoreError, match="store version 1, this simulator reads 2"):
        Store(tmp_path / "s.sqlite")


def test_a_store_from_before_a_metric_gains_its_column(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.add("study", [(0, {})], [outcome("k")])
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE results DROP COLUMN energy_pj")
    with Store(path) as store:
        assert store.known(["k"])["k"].metric("energy_pj") is None
        assert store.known(["k"])["k"].metric("macs") == outcome("k").metric("macs")


def test_a_store_of_a_newer_simulator_is_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    Store(path).__exit__(None, None, None)
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE results ADD COLUMN carbon_kg NUMERIC")
    with pytest.raises(StoreError, match="newer simulator: it holds carbon_kg"):
        Store(path)
