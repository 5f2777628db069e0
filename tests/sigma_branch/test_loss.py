from math import log

import pytest
import torch
from torch.nn import functional as F

from simulator.errors import WorkloadError
from workloads.sigma_branch.loss import LossWeights, sigma_branch_loss
from workloads.sigma_branch.tree import SoftOutput

# One sample of class 1, two leaves taken with probability 1/4 and 3/4. Leaf A gives the classes
# 1/4 and 3/4, leaf B 4/5 and 1/5, so their cross entropies are ln 4/3 and ln 5.
GATE = torch.tensor([[0.0, log(3.0)]])
LOGITS = torch.tensor([[[0.0, log(3.0)], [log(4.0), 0.0]]])
TARGET = torch.tensor([1])
CE_A, CE_B = log(4 / 3), log(5.0)
# With temperature 1, exp(-CE) is 3/4 and 1/5: responsibilities 15/19 and 4/19.
R_A, R_B = 15 / 19, 4 / 19


def test_loss_of_a_hand_written_case():
    output = SoftOutput(GATE.log_softmax(1), LOGITS)
    loss = sigma_branch_loss(output, TARGET, LossWeights(responsibility=0.5, temperature=1.0))
    classification = CE_A / 4 + 3 * CE_B / 4
    responsibility = -(R_A * log(1 / 4) + R_B * log(3 / 4))
    assert loss.classification.item() == pytest.approx(classification)
    assert loss.responsibility.item() == pytest.approx(responsibility)
    assert loss.total.item() == pytest.approx(classification + 0.5 * responsibility)


def test_gradient_of_the_hand_written_case():
    gate, logits = GATE.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    output = SoftOutput(gate.log_softmax(1), logits)
    sigma_branch_loss(output, TARGET, LossWeights(0.5, 1.0)).total.backward()
    mean = CE_A / 4 + 3 * CE_B / 4
    # d L_cls / d gate_k = p_k (CE_k - L_cls); d L_resp / d gate_k = p_k - r_k.
    expected = [
        (CE_A - mean) / 4 + 0.5 * (1 / 4 - R_A),
        3 * (CE_B - mean) / 4 + 0.5 * (3 / 4 - R_B),
    ]
    assert gate.grad[0].tolist() == pytest.approx(expected, rel=1e-5)
    # d L / d logits_k = p_k (softmax - one hot); the responsibilities pass no gradient.
    assert logits.grad[0, 0].tolist() == pytest.approx([1 / 16, -1 / 16], rel=1e-5)
    assert logits.grad[0, 1].tolist() == pytest.approx([3 / 5, -3 / 5], rel=1e-5)


def test_gradient_agrees_with_finite_differences():
    generator = torch.Generator().manual_seed(1)
    gate = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    logits = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    targets = torch.tensor([0, 4, 2])
    weights = LossWeights(responsibility=0.0, label_smoothing=0.1)

    def total(gate, logits):
        return sigma_branch_loss(SoftOutput(gate.log_softmax(1), logits), targets, weights).total

    inputs = (gate.requires_grad_(), logits.requires_grad_())
    assert torch.autograd.gradcheck(total, inputs)


def test_a_single_leaf_is_plain_cross_entropy():
    logits = torch.randn(6, 1, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = sigma_branch_loss(SoftOutput(torch.zeros(6, 1), logits), targets, LossWeights())
    expected = F.cross_entropy(logits[:, 0], targets).item()
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)


def test_a_leaf_of_vanishing_probability_keeps_the_loss_finite():
    log_leaf = torch.tensor([[0.0, -400.0]], requires_grad=True)
    loss = sigma_branch_loss(SoftOutput(log_leaf, LOGITS), TARGET, LossWeights())
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert torch.isfinite(log_leaf.grad).all()


def test_targets_of_another_number_of_classes_are_refused():
    output = SoftOutput(torch.zeros(2, 1), torch.zeros(2, 1, 2))
    with pytest.raises(WorkloadError, match="classes 0 to 2, the tree's heads know 0 to 1"):
        sigma_branch_loss(output, torch.tensor([0, 2]), LossWeights())
