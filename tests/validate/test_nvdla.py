"""The rules of NVDLA's sheet, on layers worked by hand and on the whole sheet."""

from __future__ import annotations

import pytest

from simulator.validate.nvdla import SheetLayer, sheet_layers


def layer(**changes: object) -> SheetLayer:
    plain = {"name": "x", "c": 64, "h": 56, "w": 56, "k": 256, "r": 1, "p": 56, "q": 56}
    return SheetLayer(**(plain | changes))  # type: ignore[arg-type]


def test_a_pointwise_layer():
    # 64 * 56 * 56 = 196 KiB in, 784 KiB out, 16 KiB of weights.
    found = layer()
    assert found.traffic_kib(512, winograd=True) == 196 + 784 + 16
    # 3,136 pixels * 2 rounds of 128 kernels * 4 rounds of 16 channels.
    assert found.mac_cycles(2048, winograd=True) == 3136 * 2 * 4


def test_half_empty_kernel_lanes_cost_as_much_as_full_ones():
    assert layer(k=64).mac_cycles(2048, True) == layer(k=128).mac_cycles(2048, True)


def test_winograd_trades_weights_for_macs():
    three = layer(r=3, k=128)
    assert three.mac_cycles(2048, True) == pytest.approx(three.mac_cycles(2048, False) / 2.25)
    assert three.weight_kib(True) == pytest.approx(three.weight_kib(False) * 16 / 9)


def test_an_ifmap_too_large_is_read_once_per_half_buffer_of_weights():
    # 784 KiB of ifmap beside 512 KiB of weights (1x1 of stride 2, stored as 2x2) in 512 KiB.
    found = layer(c=256, k=512, p=28, q=28)
    assert found.weight_kib(False) == 512
    assert found.traffic_kib(512, False) == 2 * 784 + 512 + 392
    assert found.traffic_kib(1024, False) == 784 + 512 + 392


def test_the_image_counts_four_channels():
    image = layer(c=3, h=224, w=224, k=64, r=7, p=112, q=112)
    assert image.ifmap_kib == 196
    # 7x7 of stride 2 stored as 8x8, with 4 channels: 64 * 4 * 64 bytes.
    assert image.weight_kib(True) == 16


def test_the_sheet_has_54_layers():
    assert len(sheet_layers()) == 54
