"""Loading a state dict someone else trained into a network of this project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor, nn

from workloads.training.checkpoint import load_checkpoint
from workloads.training.errors import TrainingError

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIX = "module."
_SHOWN = 3


def load_pretrained(model: nn.Module, path: Path) -> None:
    """Loads the weights of a file into the model; all of them or none.

    The file is a state dict, or a mapping that holds one under `state_dict`, `model_state_dict`
    or `model`; the `module.` prefix of a data-parallel training is removed. Files older than
    batch norm's `num_batches_tracked` may lack it.

    Raises:
        TrainingError: not a state dict, or keys that are missing, unexpected or of another shape.
    """
    found = _state_dict(path)
    expected = model.state_dict()
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = [key for key in expected if key not in found and key not in counters]
    unexpected = [key for key in found if key not in expected]
    misshaped = [
        key
        for key, value in found.items()
        if key in expected and value.shape != expected[key].shape
    ]
    problems = [
        f"{len(keys)} {what} ({_some(keys)})"
        for what, keys in (("missing", missing), ("unexpected", unexpected))
        if keys
    ]
    if misshaped:
        problems.append(_shape_problem(misshaped, found, expected))
    if problems:
        raise TrainingError(f"{path}: does not fit this network: {'; '.join(problems)}")
    model.load_state_dict(found, strict=False)


def _state_dict(path: Path) -> dict[str, Tensor]:
    """The file's tensors by name, without wrapper and prefix."""
    content = load_checkpoint(path)
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    odd = [key for key, value in content.items() if not isinstance(value, Tensor)]
    if odd or not content:
        what = f"{odd[0]!r} is a {type(content[odd[0]]).__name__}" if odd else "it is empty"
        raise TrainingError(
            f"{path}: is not a state dict of tensors: {what}; save model.state_dict()"
        )
    if all(key.startswith(_PREFIX) for key in content):
        return {key.removeprefix(_PREFIX): value for key, value in content.items()}
    return dict(content)


def _shape_problem(keys: list[str], found: dict[str, Tensor], expected: dict[str, Tensor]) -> str:
    """Says `another number of classes` where only the classifier's rows differ."""
    layers = {key.rpartition(".")[0] for key in keys}
    last = next(reversed(expected)).rpartition(".")[0]
    if layers == {last} and all(found[k].shape[1:] == expected[k].shape[1:] for k in keys):
        theirs, ours = found[keys[0]].shape[0], expected[keys[0]].shape[0]
        return f"its classifier {last!r} has {theirs} classes, this network has {ours}"
    first = keys[0]
    return (
        f"{len(keys)} of another shape ({first} is {tuple(found[first].shape)}, "
        f"should be {tuple(expected[first].shape)})"
    )


def _some(keys: Iterable[str]) -> str:
    listed = list(keys)
    more = f", and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
