"""Compute and stalls of a replay: an exact partition of its latency."""

from __future__ import annotations

from typing import NamedTuple

from simulator.kernels.columns import Column, Times, Work
from simulator.mapping.schedule import NONE

UNCAUSED, BY_ROUTE, BY_SPACE = 0, 1, 2
"""What a command's release waited for, as far as it matters: neither, the route, or space."""


class Shares(NamedTuple):
    """Per tile, its share of the latency by compute and kind of stall, see `StallKind`."""

    compute: Column
    route_wait: Column
    scratchpad_full: Column
    mispredict_refetch: Column
    weight_wait: Column
    activation_wait: Column


def first_not_before(times: Column, count: int, at: int) -> int:
    """How many of the first `count` rising times come before one."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if times[middle] < at:
            low = middle + 1
        else:
            high = middle
    return low


def partition(work: Work, times: Times, n_bursts: int, shares: Shares) -> int:
    """Fill in all shares, which must be zero before; returns when the last tile was done.

    See `simulator.stalls.charge` for the rules.
    """
    _, tiles, commands, entries, branches, dma = work
    vector_end, complete = times.vector_end, times.complete
    bus_end = busy = seen = blamed_until = lost_refetch = lost_route = lost_full = 0
    # Of a branch: when the bus served what was in vain, of that blamed already; when it landed.
    wrong_ps = [0] * len(branches.tile)
    blamed_ps = [0] * len(branches.tile)
    landed_ps = [0] * len(tiles.after)
    counted = [False] * len(tiles.after)
    for q in range(len(entries.branch)):
        if entries.is_lost[q]:
            tile = branches.tile[entries.branch[q]]
            landed_ps[tile] = max(landed_ps[tile], times.early_landed[q])
    for n in range(n_bursts):
        if entries.is_lost[times.burst_entry[n]]:
            spent = times.burst_end[n] - times.burst_start[n]
            wrong_ps[entries.branch[times.burst_entry[n]]] += spent
    for i in range(len(tiles.after)):
        start = times.pe_start[i] if tiles.is_pe[i] else times.vector_start[i]
        end = vector_end[i]
        if start <= busy:
            shares.compute[i] = max(end - busy, 0)
            busy = max(busy, end)
            continue
        at, busy = busy, start
        if tiles.delay_ps[i]:
            decided = min(vector_end[tiles.after[i]] + tiles.delay_ps[i], start)
            shares.route_wait[i] = max(decided - at, 0)
            at = max(at, decided)
        if tiles.store[i] != NONE:
            stored = min(complete[tiles.store[i]], start)
            shares.scratchpad_full[i] = max(stored - at, 0)
            at = max(at, stored)
        if tiles.fence[i] != NONE:
            landed = min(landed_ps[tiles.fence[i]], start)
            shares.mispredict_refetch[i] = max(landed - at, 0)
            at = max(at, landed)
        rest, load = start - at, tiles.load[i]
        if rest > 0 and load != NONE:
            while seen <= load:
                j = seen
                seen += 1
                # A command that became ready while a granule of no use was on the bus waited.
                ready = max(times.issue[j] + dma.descriptor_ps, blamed_until)
                begin = blamed_until = times.bus_start[j]
                if n_bursts and begin > ready:
                    n = max(first_not_before(times.burst_start, n_bursts, ready) - 1, 0)
                    while n < n_bursts and times.burst_start[n] < begin:
                        q = times.burst_entry[n]
                        if entries.is_lost[q] and not counted[branches.tile[entries.branch[q]]]:
                            wait = min(times.burst_end[n], begin) - max(times.burst_start[n], ready)
                            blamed_ps[entries.branch[q]] += max(wait, 0)
                            lost_refetch += max(wait, 0)
                        n += 1
                release = commands.release[j]
                if commands.cause[j] != UNCAUSED and release != NONE:
                    released = vector_end[release] + commands.delay_ps[j]
                    if commands.after[j] != NONE:
                        released = max(released, complete[commands.after[j]])
                    if released == times.issue[j]:
                        idle_from = bus_end
                        n = first_not_before(times.burst_start, n_bursts, released)
                        if n:
                            idle_from = max(idle_from, times.burst_end[n - 1])
                        lost_full += max(released - idle_from, 0)
                if commands.cause[j] == BY_ROUTE and release != NONE and not counted[release]:
                    # What the free space could have held was lost to the route, and the time in
                    # which something of no use was fetched to the guess.
                    counted[release] = True
                    moved = min(lost_full, tiles.room_ps[release])
                    lost_full -= moved
                    lost_route += moved
                    for b in range(len(branches.tile)):
                        if branches.tile[b] == release:
                            lost_refetch += max(wrong_ps[b] - blamed_ps[b], 0)
                bus_end = max(bus_end, times.bus_end[j])
            taken = min(lost_refetch, rest)
            lost_refetch -= taken
            rest -= taken
            shares.mispredict_refetch[i] += taken
            taken = min(lost_route, rest)
            lost_route -= taken
            rest -= taken
            shares.route_wait[i] += taken
            taken = min(lost_full, rest)
            lost_full -= taken
            rest -= taken
            shares.scratchpad_full[i] += taken
            if commands.is_weight[load]:
                shares.weight_wait[i] += rest
            else:
                shares.activation_wait[i] += rest
        shares.compute[i] = max(end - busy, 0)
        busy = max(busy, end)
    return busy
