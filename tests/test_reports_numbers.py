"""The numbers that figures draw are the result's, to the picosecond and the byte."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from reports import wording
from reports.compare import energy_panel, latency_panel, run_names, traffic_panel
from reports.energy import components_pj, section_components_pj
from reports.frames import inference_frame, layer_frame
from reports.label_places import Box, Mark, label_places
from reports.latency import draw_layers, layer_parts_ps
from reports.roofline_model import Dot, Roof, layer_dots, network_dot, roof_of, weight_widths
from reports.sections import REST, main_sections, section_names, sections, short_name
from simulator.mapping.tiles import TransferKind
from simulator.result import LayerResult, StallKind
from simulator.simulation import RunResult
from tests.report_runs import NAMES, run_named, small_npu


@pytest.fixture(params=NAMES)
def run(request: pytest.FixtureRequest) -> RunResult:
    return run_named(request.param)


def layers_named(*names: str) -> list[LayerResult]:
    """Layers that take 1 ps, 2 ps, 3 ps, ... in one segment."""
    layer = run_named("tree").typical.layers[0]
    starts = [i * (i + 1) // 2 for i in range(len(names))]
    return [
        replace(layer, name=name, segment="network", start_ps=start, end_ps=start + i + 1)
        for i, (name, start) in enumerate(zip(names, starts, strict=True))
    ]


def test_layer_bars_sum_to_the_latency_by_kind(run: RunResult) -> None:
    parts = [layer_parts_ps(layer) for layer in run.typical.layers]
    assert sum(part[None] for part in parts) == run.typical.compute_ps
    for kind in StallKind:
        assert sum(part[kind] for part in parts) == run.typical.stalls_ps[kind]
    assert sum(sum(part.values()) for part in parts) == run.typical.latency_ps


def test_bars_as_drawn_sum_to_the_latency() -> None:
    result = run_named("sigmab").typical
    axes = draw_layers(run_named("sigmab")).figure.axes[0]
    unit = axes.get_xlabel().partition("(")[2].rstrip(")")
    bars = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_height() == 0.78]
    drawn = sum(bar.get_width() for bar in bars)
    # In the axis's own unit: 1 ms is 1e9 ps, 1 µs is 1e6 ps.
    assert drawn * {"ms": 1e9, "µs": 1e6}[unit] == pytest.approx(result.latency_ps)


def test_energy_of_the_sections_sums_to_the_components(run: RunResult) -> None:
    by_section = section_components_pj(run)
    for name, energy_pj in components_pj(run.typical.energy).items():
        assert sum(parts[name] for parts in by_section.values()) == pytest.approx(energy_pj)
    assert sum(components_pj(run.typical.energy).values()) == run.typical.energy.total_pj


def test_comparison_shows_the_means_of_each_run() -> None:
    runs = [run_named(name) for name in NAMES]
    for index, run in enumerate(runs):
        mean_ps = sum(run.latencies_ps) / len(run.latencies_ps)
        assert latency_panel(runs).totals[index] == pytest.approx(mean_ps)
        assert energy_panel(runs).totals[index] == pytest.approx(run.mean_energy.total_pj)
        counts = {arms: result.counts for arms, result in run.results.items()}
        moved = run.mean({a: c.dram_read_bytes + c.dram_write_bytes for a, c in counts.items()})
        assert traffic_panel(runs).totals[index] == pytest.approx(moved)


def test_weights_in_a_comparison_are_whole_bursts_of_what_was_read() -> None:
    run = run_named("dense")
    commands = run.typical.timeline.schedule.commands
    bursts = sum(
        -(-n_bytes // 32)  # the test device's bursts have 32 bytes
        for n_bytes, kind in zip(commands.n_bytes, commands.kind, strict=True)
        if kind is TransferKind.WEIGHT
    )
    assert traffic_panel([run]).parts[0]["weights"] == 32 * bursts
    assert 32 * bursts >= run.typical.weight_read_bytes > 0


def test_runs_are_told_apart_by_what_differs() -> None:
    tree, oracle, pinned = (run_named(name) for name in ("tree", "oracle", "pinned"))
    assert run_names([tree, run_named("dense")]) == ["tree", "dense"]
    assert run_names([tree, oracle]) == ["tree, on_demand", "tree, oracle"]
    assert run_names([tree, pinned])[1] == "tree, on_demand, placement keep_all"


def test_roof_of_the_test_device() -> None:
    # 16 x 16 PEs at 1 GHz are 256 GMAC/s; 8 GB/s at full efficiency; 256 / 8 = 32 MACs/byte.
    roof = roof_of(small_npu(), [])
    assert roof == Roof(256e9, 8e9)
    assert roof.ridge == 32
    assert roof.attainable(16) == 128e9
    assert roof.attainable(64) == 256e9


def test_roof_stands_where_the_narrowest_weights_put_it() -> None:
    # The device does two 4-bit MACs, or half a 16-bit one, per PE and cycle.
    assert roof_of(small_npu(), [4, 8]).peak_macs_per_s == 512e9
    assert roof_of(small_npu(), [16]).peak_macs_per_s == 128e9


def test_roof_counts_the_rate_that_streams_reach() -> None:
    assert roof_of(small_npu(efficiency_fraction=0.5), []).dram_bytes_per_s == 4e9


def test_a_dot_by_hand() -> None:
    # 2,000 MACs over 500 bytes in 1 us: 4 MACs/byte and 2 GMAC/s.
    dot = Dot("conv", "trunk", macs=2000, dram_bytes=500, time_ps=10**6)
    assert (dot.intensity, dot.macs_per_s) == (4.0, 2e9)
    assert replace(dot, dram_bytes=0).intensity == float("inf")


def test_dots_hold_all_macs_and_the_network_no_more_than_the_roof(run: RunResult) -> None:
    dots, network = layer_dots(run, 8), network_dot(run)
    assert sum(dot.macs for dot in dots) == network.macs == run.typical.counts.macs
    roof = roof_of(run.spec, weight_widths(run))
    assert all(dot.macs_per_s <= roof.peak_macs_per_s for dot in dots)
    assert network.macs_per_s <= roof.attainable(network.intensity)


def test_segments_are_sections_where_there_are_several() -> None:
    layers = run_named("tree").typical.layers
    assert section_names(layers) == [layer.segment for layer in layers]
    assert [s.name for s in sections(layers)] == ["trunk", "router", "arm1"]
    assert sections(layers)[-1].stop == len(layers)


def test_stages_are_the_sections_of_a_dense_network() -> None:
    layers = layers_named("stem", "a.0", "a.1", "a.2", "b.0", "b.1", "b.2", "b.3", "head")
    assert [(s.name, s.first, s.stop) for s in sections(layers)] == [("network", 0, 9)]
    layers = layers_named("a.0", "a.1", "a.2", "b.0", "b.1", "b.2")
    assert [(s.name, s.first, s.stop) for s in sections(layers)] == [("a", 0, 3), ("b", 3, 6)]


def test_short_sections_are_merged_into_one() -> None:
    # a takes 1 + 2 + 3 ps, b 4 + 5 + 6 ps, c 7 + 8 + 9 ps.
    layers = layers_named(*(f"{stage}.{i}" for stage in "abc" for i in range(3)))
    dense = run_named("dense")
    typical = replace(dense.typical, layers=tuple(layers))
    run = replace(dense, results={(): typical})
    assert main_sections(run, 3) == list("aaabbbccc")
    assert main_sections(run, 2) == [REST] * 6 + ["c"] * 3


def test_many_segments_are_told_apart_by_their_role() -> None:
    run = run_named("tree")
    segments = [layer.segment for layer in run.typical.layers]
    assert main_sections(run, 3) == segments
    role = {"trunk": "always run", "router": "routers", "arm1": "arms"}
    assert main_sections(run, 2) == [role[segment] for segment in segments]


def test_a_layer_loses_the_segments_name_only() -> None:
    layer = layers_named("network.conv1")[0]
    assert short_name(layer) == "conv1"
    assert short_name(replace(layer, segment="net")) == "network.conv1"


def test_layer_frame_has_a_row_per_layer_and_partitions_the_time(run: RunResult) -> None:
    frame = layer_frame(run)
    assert list(frame.layer) == [layer.name for layer in run.typical.layers]
    stalls = frame[[f"{kind.value}_ps" for kind in StallKind]].sum(axis=1)
    assert (frame.compute_ps + stalls == frame.end_ps - frame.start_ps).all()
    assert frame.macs.sum() == run.typical.counts.macs


def test_inference_frame_has_a_row_per_inference(run: RunResult) -> None:
    frame = inference_frame(run)
    assert tuple(frame.latency_ps) == run.latencies_ps
    assert list(frame.route) == ["-".join(map(str, route.arms)) for route in run.routes]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.000"),
        (0.0004, "<0.001"),
        (0.0123, "0.012"),
        (0.9996, "1.00"),
        (1.234, "1.23"),
        (9.996, "10.0"),
        (99.96, "100"),
        (12345.6, "12,346"),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert wording.three_digits(value) == text


def test_units_fit_the_value() -> None:
    assert wording.time_scale(2.5e9) == wording.Scale("ms", 1e9)
    assert wording.time_scale(5).unit == "ns"
    assert wording.energy_scale(1e12).unit == "J"
    assert wording.byte_scale(999).unit == "B"


def test_shares_and_changes() -> None:
    assert wording.percent(1, 8) == "12.5 %"
    assert wording.percent(1, 10**6) == "<0.1 %"
    assert wording.change(3, 4) == "−25.0 %"
    assert wording.change(5, 4) == "+25.0 %"
    assert wording.change(5, 0) == "no base"


@given(st.text(max_size=60), st.integers(3, 40))
def test_clipped_text_is_short_and_keeps_both_ends(text: str, most: int) -> None:
    clipped = wording.clip(text, most)
    assert len(clipped) == min(len(text), most)
    if len(text) > most:
        head, _, tail = clipped.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail) or "…" in text


def test_the_first_label_stands_right_of_its_dot() -> None:
    frame = Box(0, 0, 5, 5)
    ((mark, box),) = label_places([Mark(1, 1, 0.1, "conv")], [], frame, 3)
    assert mark.text == "conv"
    assert box.left_in > 1.1
    assert label_places([Mark(1, 1, 0.1, "conv")], [], frame, 0) == []


def test_a_mark_without_room_stays_without_a_label() -> None:
    assert label_places([Mark(1, 1, 0.1, "conv")], [Box(0, 0, 5, 5)], Box(0, 0, 5, 5), 3) == []


MARKS = st.builds(
    Mark,
    st.floats(0, 5),
    st.floats(0, 4),
    st.floats(0.02, 0.2),
    st.text("abc", min_size=1, max_size=20),
)


@given(st.lists(MARKS, max_size=12))
def test_labels_overlap_neither_each_other_nor_a_mark(marks: list[Mark]) -> None:
    frame = Box(0, 0, 5, 4)
    placed = label_places(marks, [mark.box for mark in marks], frame, 6)
    boxes = [box for _, box in placed]
    assert len(boxes) <= 6
    assert all(frame.contains(box) for box in boxes)
    assert not any(box.overlaps(mark.box) for box in boxes for mark in marks)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
