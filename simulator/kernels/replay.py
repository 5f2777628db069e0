"""The recurrence: each tile's and command's times from earlier ones, granules included."""

from __future__ import annotations

from simulator.kernels.columns import Column, Commands, Dma, Entries, Tiles, Times, Work
from simulator.mapping.schedule import NONE


def replay(work: Work, times: Times) -> tuple[int, int]:
    """Compute all times; returns the latency and how many bursts of speculative loads there were.

    Granules of the second queue start while the bus is free and no ordinary command is ready. When
    an ordinary command is computed, all that could start before it is ready are known, for what
    would release any other ends after the command does. Ties go to the ordinary command, and to
    the decision. (Interpreted, a comparison is half the price of a call of max.)
    """
    order, tiles, commands, entries, branches, dma = work
    pe_end, vector_end, complete = times.pe_end, times.vector_end, times.complete
    n_tiles, n_commands, n_branches = len(tiles.after), len(commands.release), len(branches.tile)
    slots = [0] * dma.channels
    n_issued = last_issue = tiles_done = commands_done = latest = last_cleared = 0
    branch = head = bus_free = n_bursts = 0
    stop = branches.end[0] if n_branches else 0
    head_issue = NONE
    for q in range(len(entries.branch)):
        times.early_bytes[q] = times.early_end[q] = times.early_landed[q] = 0
    for op in order:
        if op < n_tiles:
            i = op
            ready = pe_end[i - 1] if i else 0
            if i >= 2 and vector_end[i - 2] > ready:
                ready = vector_end[i - 2]
            after, load, store = tiles.after[i], tiles.load[i], tiles.store[i]
            if after != NONE and vector_end[after] + tiles.delay_ps[i] > ready:
                ready = vector_end[after] + tiles.delay_ps[i]
            if load != NONE and complete[load] > ready:
                ready = complete[load]
            if store != NONE and complete[store] > ready:
                ready = complete[store]
            if tiles.fence[i] != NONE and times.cleared[tiles.fence[i]] > ready:
                ready = times.cleared[tiles.fence[i]]
            start = vector_end[i - 1] if i and vector_end[i - 1] > ready else ready
            end, pe_end[i] = start + tiles.vector_ps[i], ready + tiles.pe_ps[i]
            times.pe_start[i], times.vector_start[i] = ready, start
            vector_end[i] = end if end > pe_end[i] else pe_end[i]
            if vector_end[i] > latest:
                latest = vector_end[i]
            tiles_done = i + 1
            continue
        j = op - n_tiles
        at = rest_ps = decided = 0
        if j < n_commands:
            rest_ps, entry = commands.occupancy_ps[j], commands.entry[j]
            if entry != NONE and times.early_bytes[entry]:
                whole_ps, done = entries.occupancy_ps[entry], times.early_bytes[entry]
                rest_ps = whole_ps - whole_ps * done // entries.n_bytes[entry]
                if done == entries.n_bytes[entry]:
                    # Nothing is left of it: it takes no part in the queue.
                    times.issue[j] = times.bus_start[j] = times.early_end[entry]
                    times.bus_end[j], complete[j] = times.issue[j], times.early_landed[entry]
                    commands_done = j + 1
                    continue
            at, slot = last_issue, slots[n_issued % dma.channels]
            release, after = commands.release[j], commands.after[j]
            if slot > at:
                at = slot
            if release != NONE and vector_end[release] + commands.delay_ps[j] > at:
                at = vector_end[release] + commands.delay_ps[j]
            if after != NONE and complete[after] > at:
                at = complete[after]
            if commands.fence[j] != NONE and times.cleared[commands.fence[j]] > at:
                at = times.cleared[commands.fence[j]]
            until = at + dma.descriptor_ps
            if commands.before[j] != NONE:
                decided = vector_end[branches.tile[commands.before[j]]] + dma.decision_delay_ps
                until = min(until, decided)
        else:
            until = decided = vector_end[branches.tile[branch]] + dma.decision_delay_ps
        while head < stop:
            if head_issue == NONE:
                if entries.release[head] >= tiles_done or entries.after[head] >= commands_done:
                    break
                head_issue = issued(work, times, branches.first[branch], head)
            start = max(bus_free, head_issue + dma.descriptor_ps)
            if start >= until:
                break
            n_bursts = fetch(work, times, head, start, until, n_bursts)
            bus_free = times.early_end[head]
            latest = max(latest, times.early_landed[head])
            if times.early_bytes[head] == entries.n_bytes[head]:
                head += 1
                head_issue = NONE
        if j < n_commands:
            start = at + dma.descriptor_ps
            if bus_free > start:
                start = bus_free
            bus_free = start + rest_ps
            times.issue[j], times.bus_start[j], times.bus_end[j] = at, start, bus_free
            last_issue = at
            complete[j] = slots[n_issued % dma.channels] = bus_free + commands.latency_ps[j]
            if complete[j] > latest:
                latest = complete[j]
            n_issued += 1
            commands_done = j + 1
            continue
        last_cleared = max(last_cleared, decided)
        for q in range(branches.first[branch], branches.end[branch]):
            if entries.is_lost[q]:
                last_cleared = max(last_cleared, times.early_landed[q])
        times.cleared[branches.tile[branch]] = last_cleared
        branch += 1
        head_issue = NONE
        head = stop = 0
        if branch < n_branches:
            head, stop = branches.first[branch], branches.end[branch]
    return latest, n_bursts


def issued(work: Work, times: Times, first: int, q: int) -> int:
    """When an entry is issued, of a branch whose entries begin with `first`."""
    entries, channels = work.entries, work.dma.channels
    at = times.early_issue[q - 1] if q > first else 0
    if q - channels >= first:
        at = max(at, times.early_landed[q - channels])
    if entries.release[q] != NONE:
        at = max(at, times.vector_end[entries.release[q]] + entries.delay_ps[q])
    if entries.after[q] != NONE:
        at = max(at, times.complete[entries.after[q]])
    if entries.fence[q] != NONE:
        at = max(at, times.cleared[entries.fence[q]])
    times.early_issue[q] = at
    return int(at)


def fetch(work: Work, times: Times, q: int, start: int, until: int, n_bursts: int) -> int:
    """Fetch an entry's next granules, back to back, those that start before a time.

    The load's occupancy is dealt out in proportion to its bytes. Returns how many bursts there are.
    """
    entries, granule = work.entries, work.dma.granule_bytes
    whole, whole_ps, done = entries.n_bytes[q], entries.occupancy_ps[q], times.early_bytes[q]
    before_ps = whole_ps * done // whole
    fetched, end = done, start
    while fetched < whole and end < until:
        fetched = min(fetched + granule, whole)
        end = start + whole_ps * fetched // whole - before_ps
    last = n_bursts - 1
    if last >= 0 and times.burst_entry[last] == q and times.burst_end[last] == start:
        times.burst_bytes[last] += fetched - done
    else:
        last = n_bursts
        times.burst_entry[last], times.burst_start[last] = q, start
        times.burst_bytes[last] = fetched - done
    times.burst_end[last] = end
    times.early_bytes[q], times.early_end[q] = fetched, end
    times.early_landed[q] = end + entries.latency_ps[q]
    return last + 1


def timed(work: Work, durations: Column) -> Work:
    """Work whose times are numbers of durations, with those of one design in their place."""
    order, tiles, commands, entries, branches, dma = work
    return Work(
        order,
        Tiles(
            durations[tiles.pe_ps],
            durations[tiles.vector_ps],
            tiles.after,
            durations[tiles.delay_ps],
            tiles.load,
            tiles.store,
            tiles.fence,
            tiles.is_pe,
            tiles.fixed_bytes,
            durations[tiles.room_ps],
        ),
        Commands(
            durations[commands.occupancy_ps],
            durations[commands.latency_ps],
            commands.release,
            durations[commands.delay_ps],
            commands.after,
            commands.entry,
            commands.fence,
            commands.before,
            commands.cause,
            commands.is_weight,
            commands.buffer_bytes,
        ),
        Entries(
            entries.branch,
            entries.is_lost,
            entries.n_bytes,
            durations[entries.occupancy_ps],
            durations[entries.latency_ps],
            entries.release,
            durations[entries.delay_ps],
            entries.after,
            entries.fence,
            entries.buffer_bytes,
        ),
        branches,
        Dma(
            dma.channels,
            durations[dma.descriptor_ps],
            dma.granule_bytes,
            durations[dma.decision_delay_ps],
        ),
    )


def latencies(work: Work, times: Times, table: Column, found: Column) -> None:
    """The latency on every design; work's times are numbers of columns of the table.

    The table's shape is (designs, numbers); `times` is room to work in.
    """
    for d in range(len(table)):
        found[d] = replay(timed(work, table[d]), times)[0]
