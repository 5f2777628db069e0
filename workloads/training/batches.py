"""The batches of an epoch: which examples, in which order, changed how, all from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch

from workloads.data.dataset import Batch, Source
from workloads.data.seeds import Stream, torch_stream

_LOOKAHEAD = 2


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Whole batches in an epoch.

    The smaller rest is left out, another one in each epoch: batch norm over a handful of
    examples would be noise.
    """
    return len(source) // batch_size


def epoch_batches(
    source: Source, batch_size: int, seed: int, epoch: int, first_step: int = 0
) -> Iterator[Batch]:
    """The batches of one epoch from `first_step` on, each a function of its address alone.

    The next ones are prepared on another thread while one is being used.
    """
    order = torch.randperm(len(source), generator=torch_stream(seed, Stream.ORDER, epoch))

    def prepared(step: int) -> Batch:
        indices = order[step * batch_size : (step + 1) * batch_size]
        return source.batch(indices, torch_stream(seed, Stream.AUGMENTATION, epoch, step))

    last = steps_per_epoch(source, batch_size)
    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(prepared, s) for s in range(first_step, last)[:_LOOKAHEAD]]
        for step in range(first_step, last):
            batch = coming.pop(0).result()
            if step + _LOOKAHEAD < last:
                coming.append(pool.submit(prepared, step + _LOOKAHEAD))
            yield batch
