"""The pictures: valid, legible, inside their sheet, and the same bytes for the same run."""

import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports import figures
from reports.compare import draw_comparison
from reports.energy import draw_energy
from reports.figures import RUN_FIGURES, TRACE_FILE, write_compare_figure, write_run_figures
from reports.sheet import DPI, LABEL_PT, Sheet, png_bytes
from simulator.errors import UserError
from simulator.simulation import RunResult
from tests.report_runs import NAMES, ROOT, run_named

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


@cache
def drawn(draw: Callable[[RunResult], Sheet], name: str) -> Sheet:
    sheets: list[Sheet] = []

    def keep() -> Sheet:
        sheets.append(draw(run_named(name)))
        return sheets[0]

    png_bytes(keep)
    return sheets[0]


@cache
def tree_png(draw: Callable[[RunResult], Sheet]) -> bytes:
    return png_bytes(partial(draw, run_named("tree")))


def labels_beyond_their_axis(figure: Figure) -> Iterator[Text]:
    """Labels of ticks outside an axis's limits: they exist but are not drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low <= tick.get_loc() <= high:
                    yield from (tick.label1, tick.label2)


def draw_all(run: RunResult) -> Sheet:
    """A comparison of two to six runs, the given one first."""
    others = [run_named(name) for name in NAMES]
    return draw_comparison([run, *others])


DRAWINGS = [*RUN_FIGURES.values(), draw_all]


def test_a_run_gives_four_pictures_and_a_trace(tmp_path: Path) -> None:
    written = write_run_figures(run_named("tree"), tmp_path)
    assert [path.name for path in written] == [*RUN_FIGURES, TRACE_FILE]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*RUN_FIGURES, TRACE_FILE])
    for path in written[:-1]:
        png = path.read_bytes()
        assert png.startswith(PNG_SIGNATURE)
        parts = list(chunks(png))
        assert parts[-1][0] == b"IEND"
        width, height = struct.unpack(">II", parts[0][1][:8])
        assert 900 <= width <= 4000
        assert 400 <= height <= 6000
        assert DPI >= 150


def test_equal_runs_give_equal_bytes_whatever_the_users_settings() -> None:
    for draw in RUN_FIGURES.values():
        first = tree_png(draw)
        with mpl.rc_context({"font.size": 20, "axes.grid": True, "text.parse_math": True}):
            assert png_bytes(partial(draw, run_named("tree"))) == first
            assert mpl.rcParams["font.size"] == 20
        assert {kind for kind, _ in chunks(first)}.isdisjoint({b"tEXt", b"iTXt", b"zTXt", b"tIME"})


def test_another_process_draws_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.report_runs import run_named;"
        "from reports.figures import write_run_figures;"
        f"write_run_figures(run_named('tree'), Path({str(tmp_path)!r}));"
        "print({'pandas', 'matplotlib.pyplot', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"
    for name, draw in RUN_FIGURES.items():
        assert (tmp_path / name).read_bytes() == tree_png(draw)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("draw", DRAWINGS, ids=lambda draw: draw.__name__)
def test_every_text_is_legible_and_inside_the_sheet(
    draw: Callable[[RunResult], Sheet], name: str
) -> None:
    figure = drawn(draw, name).figure
    width, height = figure.canvas.get_width_height()
    beyond = set(labels_beyond_their_axis(figure))
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
    assert len(texts) > 10
    for text in texts:
        if text in beyond:
            continue
        box = text.get_window_extent()
        assert text.get_fontsize() >= LABEL_PT, text.get_text()
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= width, text.get_text()
        assert box.y0 >= 0, text.get_text()
        assert box.y1 <= height, text.get_text()


@pytest.mark.parametrize("draw", DRAWINGS, ids=lambda draw: draw.__name__)
def test_every_sheet_names_workload_or_regime_and_hardware(
    draw: Callable[[RunResult], Sheet],
) -> None:
    sheet = drawn(draw, "tree")
    caption = sheet.caption
    if draw is not draw_all:
        assert "tree, on_demand, route 1 (2 of 3 inferences)" in caption
        assert "edge_npu: 16 × 16 PEs at 1 GHz, 8 KiB scratchpad" in caption
    labelled = [axes for axes in sheet.figure.axes if axes.get_xlabel()]
    assert labelled
    assert all("(" in axes.get_xlabel() for axes in labelled), "an axis without a unit"


def test_comparison_of_two_runs_is_written(tmp_path: Path) -> None:
    path = tmp_path / "compare.png"
    write_compare_figure([run_named("tree"), run_named("dense")], path)
    assert path.read_bytes().startswith(PNG_SIGNATURE)
    assert [p.name for p in tmp_path.iterdir()] == ["compare.png"]


def test_a_missing_folder_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "RUN_FIGURES", {"energy.png": draw_energy})
    with pytest.raises(UserError, match=r"nowhere/energy\.png: cannot be written: No such file"):
        write_run_figures(run_named("tree"), tmp_path / "nowhere")


def test_a_folder_in_the_place_of_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "compare.png").mkdir()
    with pytest.raises(UserError, match=r"compare\.png: cannot be written: Is a directory"):
        write_compare_figure([run_named("tree")], tmp_path / "compare.png")
    assert [path.name for path in tmp_path.iterdir()] == ["compare.png"]


def test_nothing_is_written_when_a_picture_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: RunResult) -> Sheet:
        raise ArithmeticError(run.workload.name)

    monkeypatch.setattr(figures, "RUN_FIGURES", {"energy.png": draw_energy, "last.png": fail})
    with pytest.raises(ArithmeticError):
        write_run_figures(run_named("tree"), tmp_path)
    assert list(tmp_path.iterdir()) == []
