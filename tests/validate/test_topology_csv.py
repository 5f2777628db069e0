"""SCALE-Sim topology files become workloads; what is wrong in one is named with its line."""

from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.errors import ProgramError
from simulator.ir import Op
from simulator.topology_csv import workload_from_topology

HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
HEADER += "Num Filter, Strides,\n"


def layers(text: str):
    return list(workload_from_topology(text, "net.csv").program.layers())


def test_a_convolution():
    # (15 - 5 + 2) / 2 = 6 rows, (13 - 5 + 2) / 2 = 5 columns; 3 * 5 * 5 * 7 weights.
    (layer,) = layers(HEADER + "Conv 1, 15, 13, 5, 5, 3, 7, 2,\n")
    assert layer.name == "Conv_1"
    assert layer.ofmap.shape == (1, 7, 6, 5)
    assert layer.params == 525
    assert layer.macs == 525 * 30


def test_the_output_rounds_up_where_the_stride_does_not_divide():
    # SCALE-Sim: ceil((10 - 3 + 2) / 2) = 5.
    (layer,) = layers(HEADER + "a,10,10,3,3,1,1,2\n")
    assert layer.ofmap.shape == (1, 1, 5, 5)


def test_a_matrix_product():
    (layer,) = layers("Layer,M,N,K,\nqkv,16,48,32,\n")
    assert layer.op is Op.LINEAR
    assert layer.macs == 16 * 48 * 32
    assert layer.params == 48 * 32


def test_equal_names_are_numbered_and_blank_lines_skipped():
    found = layers(HEADER + "a,4,4,1,1,1,1,1,\n\n,,,\na,4,4,1,1,1,1,1,\n")
    assert [layer.name for layer in found] == ["a", "a.2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no layers"),
        (HEADER, "no layers"),
        (HEADER + "a,4,4,1,1,1,1,\n", "line 2: Strides: missing"),
        (HEADER + "a,4,4,1,1,x,1,1,\n", "line 2: Channels: is 'x', must be a whole number"),
        (HEADER + "a,4,4,1,1,0,1,1,\n", "line 2: Channels: is '0'"),
        (HEADER + "a,4,4,5,1,1,1,1,\n", "5 x 1 exceeds the ifmap's 4 x 4"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str):
    with pytest.raises(ProgramError) as caught:
        workload_from_topology(text, "net.csv")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_run_takes_a_topology(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "net.csv"
    path.write_text(HEADER + "a,8,8,3,3,4,8,1,\nb,1,1,1,1,64,10,1,\n")
    argv = ["run", "--spec", "edge_npu", "--workload", str(path), "--inferences", "1"]
    assert main(argv) == 0
    # 36 pixels * 4 * 9 * 8 + 64 * 10 = 11,008 MACs.
    assert "11.01 kMAC" in capsys.readouterr().out
