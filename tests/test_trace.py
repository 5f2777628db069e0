import pytest
import torch
from torch import nn

from simulator.counts import count_program
from simulator.errors import WorkloadError
from simulator.ir import Op, Program
from simulator.program_file import workload_to_json
from workloads.catalogue import CATALOGUE, trace_workload
from workloads.trace import Tracer, meta_copy, trace_dense


def ops(program: Program) -> list[tuple[str, Op]]:
    return [(layer.name, layer.op) for layer in program.layers()]


@pytest.mark.parametrize("name", CATALOGUE)
def test_committed_program_is_what_tracing_gives(name, request):
    path = request.config.rootpath / "workloads" / "programs" / f"{name}.json"
    assert workload_to_json(trace_workload(name)) == path.read_text(encoding="utf-8")


def test_no_program_is_committed_without_its_workload(request):
    folder = request.config.rootpath / "workloads" / "programs"
    assert {p.stem for p in folder.glob("*.json")} == set(CATALOGUE)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", ["dense_resnet50_cifar100", "dense_resnet50"])
def test_flops_agree_with_fvcore_on_the_same_network(name):
    from fvcore.nn import FlopCountAnalysis

    entry = CATALOGUE[name]
    analysis = FlopCountAnalysis(entry.build().eval(), torch.zeros(entry.input_shape))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    program = trace_workload(name).program
    assert count_program(program, 32).routes[0].flops_fvcore == analysis.total()


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout()

    def forward(self, x):
        y = self.drop(self.relu(self.grouped(x)))
        y += y
        return y.flatten(1).view(2, -1)


def test_convolution_dims_weights_and_free_operators():
    layers = list(trace_dense(Convolutions(), (2, 4, 9, 9)).layers())
    assert [(layer.name, layer.op) for layer in layers] == [
        ("grouped", Op.CONV2D), ("relu", Op.RELU), ("add", Op.ADD)
    ]  # fmt: skip
    d = layers[0].dims
    # (9 + 2 - 3) // 2 + 1 = 5 rows
    assert (d.n, d.k, d.c, d.p, d.q, d.r, d.s) == (2, 8, 4, 5, 5, 3, 3)
    assert (d.groups, d.stride) == (2, (2, 2))
    assert layers[0].macs == 2 * 8 * (4 // 2) * 25 * 9
    assert {w.name: w.params for w in layers[0].weights} == {
        "grouped.weight": 8 * 2 * 9,
        "grouped.bias": 8,
    }
    # The in-place addition reads what ReLU wrote and writes a tensor of its own.
    assert [t.name for t in layers[2].ifmaps] == ["relu", "relu"]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(8, 8), nn.Linear(8, 8, bias=False)

    def forward(self, x):
        q, k = (f(x).view(1, 5, 2, 4).transpose(1, 2) for f in (self.q, self.k))
        y = ((q @ k.transpose(-2, -1)) * 0.5).softmax(-1) @ q
        return y.transpose(1, 2).reshape(1, 5, 8).mean(1)


def test_tokens_and_attention_become_linear_and_matmul():
    layers = {layer.name: layer for layer in trace_dense(Attention(), (1, 5, 8)).layers()}
    assert [layer.op for layer in layers.values()] == [
        Op.LINEAR, Op.LINEAR, Op.MATMUL, Op.SCALE, Op.SOFTMAX, Op.MATMUL, Op.COPY, Op.MEAN_REDUCE
    ]  # fmt: skip
    assert layers["q"].macs == 5 * 8 * 8
    assert layers["matmul"].macs == 2 * 5 * 5 * 4  # heads, queries, keys, width
    assert layers["matmul_2"].macs == 2 * 5 * 4 * 5


class Unknown(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Hardswish())
        self.second = nn.Sequential(nn.ConvTranspose2d(3, 3, 2), nn.ReLU())

    def forward(self, x):
        return torch.sin(self.second(self.first(x)))


def test_all_unknown_operators_are_reported_at_once_with_their_place():
    with pytest.raises(WorkloadError) as caught:
        trace_dense(Unknown(), (1, 3, 4, 4))
    message = str(caught.value)
    for part in ("aten::hardswish at first.1", "aten::convolution at second.0", "aten::sin at"):
        assert part in message
    assert "\n" not in message


class Looks(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Captures(nn.Module):
    def __init__(self):
        super().__init__()
        self.__dict__["constant"] = torch.ones(3, device="meta")

    def forward(self, x):
        return x + self.constant


class Nothing(nn.Module):
    def forward(self, x):
        return x.view(-1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Looks(), "network: cannot be traced at"),
        (Captures(), "no input, parameter or buffer"),
        (Nothing(), "no layer to trace"),
        (nn.Linear(5, 2), "cannot be traced at"),
    ],
)
def test_what_cannot_be_traced_says_so(module, message):
    with pytest.raises(WorkloadError, match=message):
        trace_dense(module, (1, 3))


class Halves(nn.Module):
    """A weight stored as two parameters, one of them used by two layers."""

    def __init__(self):
        super().__init__()
        self.tied, self.own = nn.Parameter(torch.ones(2, 4)), nn.Parameter(torch.ones(1, 4))
        self.register_buffer("order", torch.tensor([2, 0, 1]))

    def forward(self, x):
        weight = torch.cat((self.tied, self.own)).index_select(0, self.order)
        return nn.functional.linear(nn.functional.linear(x, weight), self.tied[:, :3])


def test_a_weight_assembled_from_parameters_names_all_its_blocks():
    first, second = trace_dense(Halves(), (1, 4)).layers()
    assert {w.name: w.params for w in first.weights} == {"tied": 8, "own": 4}
    assert [w.name for w in second.weights] == ["tied"]


def test_a_module_standing_at_two_places_has_one_block_and_two_names():
    shared = nn.Linear(4, 4)
    program = trace_dense(
        nn.Sequential(nn.Sequential(shared, nn.ReLU()), nn.Sequential(shared)), (1, 4)
    )
    assert [name for name, op in ops(program) if op is Op.LINEAR] == ["0.0", "1.0"]
    blocks = {w.name for layer in program.layers() for w in layer.weights}
    assert blocks == {"0.0.weight", "0.0.bias"}


def test_a_part_of_a_tensor_is_copied_out():
    class Slice(nn.Module):
        def forward(self, x):
            return x[:, 1:].relu()

    assert [op for _, op in ops(trace_dense(Slice(), (1, 4)))] == [Op.COPY, Op.RELU]


def test_tracing_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trace_dense(model, (1, 3, 4, 4))
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not model[0]._forward_hooks
    assert not model[0]._forward_pre_hooks


def test_hooks_are_removed_after_a_failure():
    model = meta_copy(nn.Sequential(nn.Linear(4, 4)))
    tracer = Tracer(model)
    with tracer:
        x, _ = tracer.input("input", (1, 3))
        with pytest.raises(WorkloadError):
            tracer.segment("network", lambda: model(x))
    assert not model[0]._forward_pre_hooks


def test_unknown_workload_names_the_nearest():
    with pytest.raises(WorkloadError, match="did you mean 'sigmab_resnet50'"):
        trace_workload("sigmab_resnet5")
