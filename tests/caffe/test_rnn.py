"""RNN layers against torch.nn.RNN, and the rules of state that LSTM and RNN share."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lrcn_fast.caffe import CaffeError, Net
from tests.caffe.nets import build, input_layer, layer
from tests.helpers.tolerance import FORWARD, assert_bitwise_equal, assert_equal_to_oracle

STEPS, STREAMS, INPUTS, HIDDEN, STATIC = 7, 3, 4, 5, 2
RANDOM = 'weight_filler { type: "gaussian" } bias_filler { type: "gaussian" }'


def recurrent(folder: Path, kind: str, static: bool = False, exposed: bool = False) -> Net:
    shapes = {"x": (STEPS, STREAMS, INPUTS), "cont": (STEPS, STREAMS)}
    if static:
        shapes["s"] = (STREAMS, STATIC)
    states = ["h0", "c0"][: 2 if kind == "LSTM" else 1] if exposed else []
    shapes |= dict.fromkeys(states, (1, STREAMS, HIDDEN))
    tops = " ".join(["y", *(f"{name}_T" for name in states)])
    more = f"num_output: {HIDDEN} expose_hidden: {str(exposed).lower()} {RANDOM}"
    text = input_layer(**shapes) + layer(
        kind, " ".join(shapes), tops, f"recurrent_param {{ {more} }}"
    )
    return build(folder, text).double()


def inputs(net: Net) -> dict[str, Tensor]:
    shapes = {"x": (STEPS, STREAMS, INPUTS), "s": (STREAMS, STATIC)}
    found = {name: torch.randn(shapes.get(name, (1, STREAMS, HIDDEN)), dtype=torch.float64)
             for name in net.inputs}  # fmt: skip
    return {**found, "cont": torch.ones(STEPS, STREAMS)}


def torchs(net: Net, x: Tensor, h0: Tensor, static: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same from torch.nn.RNN: outputs (T, B, H) and the last state."""
    module = net.get_submodule("it")
    rnn = nn.RNN(INPUTS, HIDDEN, dtype=torch.float64)
    state = {"weight_ih_l0": module.weight_ih, "weight_hh_l0": module.weight_hh,
             "bias_ih_l0": module.bias_h, "bias_hh_l0": torch.zeros(HIDDEN)}  # fmt: skip
    if static is not None:
        rnn = nn.RNN(INPUTS + STATIC, HIDDEN, dtype=torch.float64)
        state["weight_ih_l0"] = torch.cat([module.weight_ih, module.weight_is], 1)
        x = torch.cat([x, static.expand(len(x), *static.shape)], 2)
    rnn.load_state_dict(state)
    hidden, last = rnn(x, h0)
    return torch.tanh(hidden @ module.weight_ho.t() + module.bias_o), last


@pytest.mark.parametrize("static", [False, True])
def test_rnn(static: bool, tmp_path: Path) -> None:
    net = recurrent(tmp_path, "RNN", static)
    given = inputs(net)
    # Stream 1 starts anew at step 3; the others go on from zeros.
    given["cont"][3, 1] = 0
    x, s, zeros = given["x"], given.get("s"), torch.zeros(1, STREAMS, HIDDEN, dtype=torch.float64)
    expected, _ = torchs(net, x, zeros, s)
    anew, last = torchs(net, x[3:], zeros, s)
    expected = expected.clone()
    expected[3:, 1] = anew[:, 1]
    assert_equal_to_oracle(net(given)["y"], expected, "y", FORWARD)
    # The next window goes on where the last one ended.
    again = inputs(net)
    _, whole = torchs(net, x, zeros, s)
    state = torch.stack([whole[:, 0], last[:, 1], whole[:, 2]], 1)
    assert_equal_to_oracle(net(again)["y"], torchs(net, again["x"], state, again.get("s"))[0], "y")


def test_rnn_with_its_state_exposed(tmp_path: Path) -> None:
    net = recurrent(tmp_path, "RNN", static=True, exposed=True)
    given = inputs(net)
    outputs = net(given)
    expected, last = torchs(net, given["x"], given["h0"], given["s"])
    assert_equal_to_oracle(outputs["y"], expected, "y")
    assert_equal_to_oracle(outputs["h0_T"], last, "h_T")
    assert not outputs["h0_T"].requires_grad
    assert_bitwise_equal(net(given)["y"], outputs["y"], "a second call")


def test_rnn_gradients(tmp_path: Path) -> None:
    net = recurrent(tmp_path, "RNN")
    given = inputs(net)
    given["cont"][2] = 0
    x = given.pop("x").requires_grad_()

    def run(x: Tensor) -> Tensor:
        net.reset()
        return net({"x": x, **given})["y"]

    assert torch.autograd.gradcheck(run, x)


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
class TestState:
    def test_windows_are_one_sequence(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        given = inputs(net)
        whole = net(given)["y"]
        net.reset()
        parts = [
            net({name: value[start:end] for name, value in given.items()})["y"]
            for start, end in ((0, 3), (3, 4), (4, STEPS))
        ]
        assert_equal_to_oracle(torch.cat(parts), whole, "y")

    def test_no_gradient_goes_to_the_window_before(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        first = inputs(net)
        first["x"].requires_grad_()
        net(first)
        net(inputs(net))["y"].sum().backward()
        assert first["x"].grad is None

    def test_reset_and_cont_start_anew(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        given = inputs(net)
        fresh = net(given)["y"]
        assert not torch.equal(net(given)["y"], fresh)
        net.reset()
        assert_bitwise_equal(net(given)["y"], fresh, "after reset")
        given["cont"][0] = 0
        assert_bitwise_equal(net(given)["y"], fresh, "cont 0")

    def test_another_number_of_streams(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        given = inputs(net)
        net(given)
        fewer = {name: value[:, :2] for name, value in given.items()}
        with pytest.raises(CaffeError, match="goes on with 2 streams where the last call had 3"):
            net(fewer)
        fewer["cont"] = fewer["cont"].clone()
        fewer["cont"][0] = 0
        started = net(fewer)["y"]
        net.reset()
        assert_bitwise_equal(net(fewer)["y"], started, "y")

    def test_training_goes_on_from_inference(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        first, second = inputs(net), inputs(net)
        net(first)
        expected = net(second)["y"]
        net.reset()
        with torch.inference_mode():
            net(first)
        trained = net(second)["y"]
        trained.sum().backward()
        assert_bitwise_equal(trained, expected, "y")

    def test_state_follows_the_dtype_of_the_net(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        given = inputs(net)
        net(given)
        assert net.float()(given)["y"].dtype == torch.float32

    def test_a_layer_that_is_not_needed_keeps_its_state(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        given = inputs(net)
        net(given)
        expected = net(given)["y"]
        net.reset()
        net(given)
        net({"x": given["x"]}, ["x"])
        assert_bitwise_equal(net(given)["y"], expected, "y")

    def test_wrong_shapes(self, kind: str, tmp_path: Path) -> None:
        net = recurrent(tmp_path, kind)
        given = inputs(net)
        with pytest.raises(CaffeError, match=f"layer 'it' .{kind}.*cont: expected shape"):
            net({**given, "cont": given["cont"][1:]})
        with pytest.raises(CaffeError, match=f"layer 'it' .{kind}"):
            net({**given, "x": given["x"][..., 1:]})


@pytest.mark.parametrize(
    ("bottoms", "tops", "exposed"),
    [("x", "y", "false"), ("x cont s s", "y", "false"), ("x cont", "y z", "false"),
     ("x cont", "y h c", "true"), ("x cont s h0", "y h", "true"), ("cont cont", "y", "false")],
)  # fmt: skip
def test_numbers_of_bottoms_and_tops(bottoms: str, tops: str, exposed: str, tmp_path: Path) -> None:
    text = input_layer(x=(2, 3, 4), cont=(2, 3), s=(3, 2), h0=(1, 3, 5))
    more = f"recurrent_param {{ num_output: 5 expose_hidden: {exposed} }}"
    if bottoms == "cont cont":
        # x (T, B) is one value a step.
        net = build(tmp_path, text + layer("LSTM", bottoms, tops, more))
        assert net.get_parameter("it.weight_ih").shape == (20, 1)
        return
    with pytest.raises(CaffeError, match="expected bottoms x, cont, x_static or none"):
        build(tmp_path, text + layer("LSTM", bottoms, tops, more))
