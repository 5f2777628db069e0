"""The loss of fine-tuning: expected classification loss plus responsibility of the leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from simulator.errors import WorkloadError
from workloads.sigma_branch.tree import SoftOutput


@dataclass(frozen=True)
class LossWeights:
    """Constants of the loss; the defaults are those of arXiv 2606.09924, section IV.

    Attributes:
        responsibility: lambda_resp; 0 is the ablation of table VI.
        temperature: tau_r of the responsibilities.
        label_smoothing: share of the target spread over all classes.
    """

    responsibility: float = 0.3
    temperature: float = 0.3
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class Loss:
    """The loss of a batch and its two parts, each a scalar."""

    total: Tensor
    classification: Tensor
    responsibility: Tensor


def sigma_branch_loss(output: SoftOutput, targets: Tensor, weights: LossWeights) -> Loss:
    """L = L_cls + lambda_resp * L_resp (arXiv 2606.09924, section III-D).

    L_cls is the mean over samples of the leaves' cross entropies weighted by the leaves'
    probabilities. The responsibility of a leaf is the softmax over leaves of minus its cross
    entropy over the temperature, without gradient; L_resp is the cross entropy between
    responsibilities and leaf probabilities.

    Args:
        output: of soft routing.
        targets: (batch,) class indices.
        weights: constants.

    Raises:
        WorkloadError: targets outside the classes.
    """
    batch, n_leaves, n_classes = output.logits.shape
    if int(targets.min()) < 0 or int(targets.max()) >= n_classes:
        raise WorkloadError(
            f"targets: classes {int(targets.min())} to {int(targets.max())}, the tree's heads "
            f"know 0 to {n_classes - 1}"
        )
    cross_entropy = F.cross_entropy(
        output.logits.flatten(0, 1),
        targets.repeat_interleave(n_leaves),
        reduction="none",
        label_smoothing=weights.label_smoothing,
    ).view(batch, n_leaves)
    classification = (output.log_leaf.exp() * cross_entropy).sum(1).mean()
    responsible = (-cross_entropy.detach() / weights.temperature).softmax(1)
    responsibility = -(responsible * output.log_leaf).sum(1).mean()
    total = classification + weights.responsibility * responsibility
    return Loss(total, classification, responsibility)


@dataclass(frozen=True)
class SigmaBranchLoss:
    """The loss as the training loop calls it, for a model that is a tree."""

    weights: LossWeights = field(default_factory=LossWeights)

    def __call__(
        self, model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The batch's loss, its parts, and the share that the most probable leaf gets right."""
        output: SoftOutput = model(inputs)
        loss = sigma_branch_loss(output, targets, self.weights)
        leaf = output.log_leaf.detach().argmax(1)
        guess = output.logits.detach().argmax(2).gather(1, leaf[:, None])[:, 0]
        return loss.total, {
            "classification_loss": loss.classification,
            "responsibility_loss": loss.responsibility,
            "train_top1_fraction": (guess == targets).float().mean(),
        }
