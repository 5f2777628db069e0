"""Energy, leakage and area of one scratchpad bank by size, technology node and temperature.

From 45 to 22 nm: CACTI 7, single bank, 16-byte words, itrs-lstp cells (`cacti7_sram.csv`),
log-log between the sizes and between the nodes 45, 32 and 22. Below 22 nm CACTI has no cells;
energy there is CACTI's at 22 nm times the ratio of the two nodes in Jouppi et al., "Ten Lessons
From Three Generations Shaped Google's TPUv4i", ISCA 2021 (64-bit access at 45 and 7 nm, log-log
between), and leakage stays at its 22 nm value, for want of a public number.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from simulator.cost.interpolation import log_log
from simulator.errors import SpecError
from simulator.units import BYTES_PER_KIB, BYTES_PER_MIB

SMALLEST_BANK_BYTES = 1 * BYTES_PER_KIB
SMALLEST_TABLED_BYTES = 8 * BYTES_PER_KIB
LARGEST_BANK_BYTES = 8 * BYTES_PER_MIB
LARGEST_SCALED_BYTES = 1 * BYTES_PER_MIB
"""Jouppi et al. list no larger memory."""
CACTI_NODES_NM = (45.0, 32.0, 22.0)
OLDEST_NM, FINEST_CACTI_NM, FINEST_NM = 45.0, 22.0, 7.0
WORD_BYTES = 16
COOLEST_K, WARMEST_K = 300, 350

ACCESS_PJ_45NM = MappingProxyType(
    {8.0 * BYTES_PER_KIB: 10.0, 32.0 * BYTES_PER_KIB: 20.0, 1.0 * BYTES_PER_MIB: 100.0}
)
ACCESS_PJ_7NM = MappingProxyType(
    {8.0 * BYTES_PER_KIB: 7.5, 32.0 * BYTES_PER_KIB: 8.5, 1.0 * BYTES_PER_MIB: 14.0}
)
"""Energy of a 64-bit access by capacity in bytes, Jouppi et al., ISCA 2021."""


@dataclass(frozen=True)
class SramBank:
    """What one bank costs; each `*_source` starts with a trust mark."""

    read_pj_per_byte: float
    write_pj_per_byte: float
    leakage_w: float
    energy_source: str
    leakage_source: str


@dataclass(frozen=True)
class _Row:
    """One line of the CACTI table."""

    size_bytes: float
    node_nm: float
    temperature_k: int
    read_pj: float
    write_pj: float
    leakage_w: float
    area_mm2: float


def check_range(bank_bytes: int, node_nm: float) -> None:
    """Refuse what the tables do not cover.

    Raises:
        SpecError: a bank or a node outside the stated range.
    """
    largest = LARGEST_BANK_BYTES if node_nm >= FINEST_CACTI_NM else LARGEST_SCALED_BYTES
    if not SMALLEST_BANK_BYTES <= bank_bytes <= largest:
        raise SpecError(
            f"scratchpad.banks: a bank of {bank_bytes} bytes is outside the range of derived "
            f"energy at {node_nm:g} nm, {SMALLEST_BANK_BYTES} to {largest} bytes; change "
            "scratchpad.banks or give energy.scratchpad_read_pj_per_byte, "
            "scratchpad_write_pj_per_byte and scratchpad_static_w"
        )
    if not FINEST_NM <= node_nm <= OLDEST_NM:
        raise SpecError(f"energy.node_nm: {node_nm:g}: tables reach from 7 to 45 nm")


@lru_cache(maxsize=256)
def sram_bank(bank_bytes: int, node_nm: float, temperature_k: float) -> SramBank:
    """One bank of the given size.

    Below 8 KiB, the table's smallest, energy per byte stays at that of 8 KiB (an upper bound)
    and leakage shrinks with the size. Leakage grows exponentially with temperature between
    CACTI's 300 and 350 K.

    Raises:
        SpecError: a bank or a node outside the stated range.
    """
    check_range(bank_bytes, node_nm)
    size = float(max(bank_bytes, SMALLEST_TABLED_BYTES))
    tabled_nm = max(node_nm, FINEST_CACTI_NM)
    ratio = _access_pj(size, node_nm) / _access_pj(size, tabled_nm)
    leakage_w = _at(size, tabled_nm, "leakage_w") * min(bank_bytes / size, 1.0)
    share = (temperature_k - COOLEST_K) / (WARMEST_K - COOLEST_K)
    return SramBank(
        read_pj_per_byte=ratio * _at(size, tabled_nm, "read_pj") / WORD_BYTES,
        write_pj_per_byte=ratio * _at(size, tabled_nm, "write_pj") / WORD_BYTES,
        leakage_w=leakage_w * _warm_ratio() ** share,
        energy_source=_energy_source(bank_bytes, node_nm),
        leakage_source=_leakage_source(bank_bytes, node_nm, temperature_k),
    )


def bank_area_mm2(bank_bytes: int, node_nm: float) -> float:
    """Silicon area of one bank by CACTI 7, log-log between its sizes and nodes.

    Below 8 KiB, the table's smallest, the area shrinks with the size.

    Raises:
        SpecError: a bank or a node outside CACTI's, from 22 to 45 nm.
    """
    check_range(bank_bytes, node_nm)
    if node_nm < FINEST_CACTI_NM:
        raise SpecError(f"energy.node_nm: {node_nm:g}: areas reach from 22 to 45 nm")
    size = float(max(bank_bytes, SMALLEST_TABLED_BYTES))
    return _at(size, node_nm, "area_mm2") * min(bank_bytes / size, 1.0)


def _energy_source(bank_bytes: int, node_nm: float) -> str:
    table = f"CACTI 7, {bank_bytes / BYTES_PER_KIB:g} KiB bank, 16-byte word, itrs-lstp"
    if node_nm < FINEST_CACTI_NM:
        return (
            f"D: {table}, 22 nm, scaled to {node_nm:g} nm by the 64-bit SRAM access of "
            "Jouppi et al. ISCA 2021, 45 and 7 nm, log-log between"
        )
    if bank_bytes < SMALLEST_TABLED_BYTES:
        return f"D: {table}, {node_nm:g} nm, energy per byte of 8 KiB, the smallest run"
    exact = node_nm in CACTI_NODES_NM and float(bank_bytes) in _column(node_nm, "read_pj")
    return f"R: {table}, {node_nm:g} nm" if exact else f"D: {table}, {node_nm:g} nm, log-log"


def _leakage_source(bank_bytes: int, node_nm: float, temperature_k: float) -> str:
    table = f"CACTI 7, {bank_bytes / BYTES_PER_KIB:g} KiB bank, itrs-lstp, {temperature_k:g} K"
    if node_nm < FINEST_CACTI_NM:
        return f"assumed: {table}, the 22 nm value: no public leakage at {node_nm:g} nm"
    warm = temperature_k != COOLEST_K
    growth = ", growth with temperature as at 22 nm and 128 KiB" if warm else ""
    return f"D: {table}, {node_nm:g} nm, log-log{growth}"


def _access_pj(size_bytes: float, node_nm: float) -> float:
    """Energy of a 64-bit access at a node between those of Jouppi et al.

    The ratio of two nodes is all that is taken from it; at 22 nm and above it is not used.
    """
    size = min(size_bytes, float(LARGEST_SCALED_BYTES))
    ends = {45.0: log_log(ACCESS_PJ_45NM, size), 7.0: log_log(ACCESS_PJ_7NM, size)}
    return log_log(ends, node_nm)


def _at(size_bytes: float, node_nm: float, value: str) -> float:
    """A column of the table at any size and node within it."""
    by_node = {node: log_log(_column(node, value), size_bytes) for node in CACTI_NODES_NM}
    return log_log(by_node, node_nm)


@lru_cache(maxsize=32)
def _column(node_nm: float, value: str) -> dict[float, float]:
    """One value by size at 300 K."""
    return {
        row.size_bytes: getattr(row, value)
        for row in _rows()
        if row.node_nm == node_nm and row.temperature_k == COOLEST_K
    }


@lru_cache(maxsize=1)
def _warm_ratio() -> float:
    """Leakage at 350 K over that at 300 K, geometric mean of the sizes run at both."""
    cool = _column(FINEST_CACTI_NM, "leakage_w")
    logs = [
        math.log(row.leakage_w / cool[row.size_bytes])
        for row in _rows()
        if row.temperature_k == WARMEST_K
    ]
    return math.exp(math.fsum(logs) / len(logs))


@lru_cache(maxsize=1)
def _rows() -> tuple[_Row, ...]:
    """The runs with 16-byte words and low-standby-power cells."""
    text = files("simulator.cost").joinpath("cacti7_sram.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        _Row(
            size_bytes=float(row["size_B"]),
            node_nm=round(float(row["tech_um"]) * 1000, 6),
            temperature_k=int(row["temp_K"]),
            read_pj=float(row["read_nJ"]) * 1000,
            write_pj=float(row["write_nJ"]) * 1000,
            leakage_w=float(row["leak_mW"]) / 1000,
            area_mm2=float(row["area_mm2"]),
        )
        for row in csv.DictReader(lines)
        if row["cell"] == "itrs-lstp" and int(row["width_B"]) == WORD_BYTES
    )
