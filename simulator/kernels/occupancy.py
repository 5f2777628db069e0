"""The most scratchpad bytes a replay occupies, as the event engine counts them."""

from __future__ import annotations

from simulator.kernels.columns import Column, Times, Work
from simulator.mapping.schedule import NONE

NEVER_PS = 2**62
SAME_INSTANT = -1
"""In place of a peak: a speculative load would be issued as its branch is decided."""


def peak_bytes(work: Work, times: Times, freed: Column, between: Column) -> int:
    """The most scratchpad bytes occupied while time passes; SAME_INSTANT if it cannot tell.

    `freed`, per tile: bytes of loads given back when it is done. `between`, per tile: bytes kept
    from when the tile before is done to its dispatch; and after the last.

    Loads take their buffers when they are issued. An entry takes its buffer when the second queue
    issues it, before its branch is decided; what an arm not taken has taken is given back when the
    last of it has landed. Each of the five kinds of change comes in order of time.
    """
    _, tiles, commands, entries, branches, dma = work
    n_tiles, n_commands, n_entries = len(tiles.after), len(commands.release), len(entries.branch)
    taken_at = [0] * n_entries
    is_taken = [False] * n_entries
    lost_bytes = [0] * len(branches.tile)
    for b in range(len(branches.tile)):
        decided = times.vector_end[branches.tile[b]] + dma.decision_delay_ps
        at, first = 0, branches.first[b]
        for q in range(first, branches.end[b]):
            before = q - dma.channels
            if before >= first:
                if times.early_bytes[before] < entries.n_bytes[before]:
                    break
                at = max(at, times.early_landed[before])
            if entries.release[q] != NONE:
                at = max(at, times.vector_end[entries.release[q]] + entries.delay_ps[q])
            if entries.after[q] != NONE:
                at = max(at, times.complete[entries.after[q]])
            if entries.fence[q] != NONE:
                at = max(at, times.cleared[entries.fence[q]])
            if at == decided:
                return SAME_INSTANT
            if at > decided:
                break
            taken_at[q], is_taken[q] = at, True
            if entries.is_lost[q]:
                lost_bytes[b] += entries.buffer_bytes[q]
    peak = loaded = done = dispatched = issued = entry = branch = 0
    while True:
        # What takes no buffer, or took it as an entry, changes nothing.
        while issued < n_commands and (
            commands.buffer_bytes[issued] == 0
            or (commands.entry[issued] != NONE and is_taken[commands.entry[issued]])
        ):
            issued += 1
        while entry < n_entries and not is_taken[entry]:
            entry += 1
        now = NEVER_PS
        if done < n_tiles:
            now = min(now, times.vector_end[done])
        if dispatched < n_tiles:
            now = min(now, times.pe_start[dispatched])
        if issued < n_commands:
            now = min(now, times.issue[issued])
        if entry < n_entries:
            now = min(now, taken_at[entry])
        if branch < len(branches.tile):
            now = min(now, times.cleared[branches.tile[branch]])
        if now == NEVER_PS:
            return peak
        while done < n_tiles and times.vector_end[done] == now:
            loaded -= freed[done]
            done += 1
        while dispatched < n_tiles and times.pe_start[dispatched] == now:
            dispatched += 1
        while issued < n_commands and times.issue[issued] == now:
            if commands.entry[issued] == NONE or not is_taken[commands.entry[issued]]:
                loaded += commands.buffer_bytes[issued]
            issued += 1
        while entry < n_entries and (not is_taken[entry] or taken_at[entry] == now):
            loaded += entries.buffer_bytes[entry] if is_taken[entry] else 0
            entry += 1
        while branch < len(branches.tile) and times.cleared[branches.tile[branch]] == now:
            loaded -= lost_bytes[branch]
            branch += 1
        running = tiles.fixed_bytes[max(dispatched - 1, 0)]
        peak = max(peak, loaded + (running if done < dispatched else between[dispatched]))
