"""What every implementation has to reproduce from the golden files."""

import torch
from torch import Tensor

from tests.golden.caffe import Run, flatten, load, parameter_gradients, parameters
from tests.helpers.tolerance import FORWARD, GRADIENT, assert_equal_to_oracle


def check_window(name: str, run: Run) -> None:
    """One layer over one window (after its warm-up window, if any): values and gradients."""
    golden = load(name)
    params = parameters(golden)
    if "warm_x" in golden:
        static = golden.get("warm_x_static")
        warm = run(
            flatten(golden["warm_x"], 2),
            None,
            params,
            golden["warm_cont"],
            None if static is None else flatten(static, 1),
        )
        assert_equal_to_oracle(warm.output, golden["warm_h"], "warm h", FORWARD)
        assert_equal_to_oracle(warm.cells, golden["warm_c"], "warm c", FORWARD)
        assert_equal_to_oracle(warm.h_n, golden["h0"], "h carried over", FORWARD)
        assert_equal_to_oracle(warm.c_n, golden["c0"], "c carried over", FORWARD)

    x, c0 = golden["x"].requires_grad_(), golden["c0"].requires_grad_()
    inputs: dict[str, Tensor] = {"x": x, "c0_internal": c0}
    static = None
    if "x_static" in golden:
        inputs["x_static"] = golden["x_static"].requires_grad_()
        static = flatten(inputs["x_static"], 1)
    result = run(flatten(x, 2), (golden["h0"], c0), params, golden["cont"], static)
    assert_equal_to_oracle(result.output, golden["h"], "h", FORWARD)
    assert_equal_to_oracle(result.cells, golden["c"], "c", FORWARD)
    assert_equal_to_oracle(result.h_n[0], golden["h"][-1], "h_n", FORWARD)
    assert_equal_to_oracle(result.c_n[0], golden["c"][-1], "c_n", FORWARD)

    gradients = torch.autograd.grad(
        result.output, [*inputs.values(), *params], golden["d_h"], retain_graph=True
    )
    wanted = [golden[f"d_{key}"] for key in inputs] + parameter_gradients(golden)
    for number, (ours, caffes) in enumerate(zip(gradients, wanted, strict=True)):
        assert_equal_to_oracle(ours, caffes, f"gradient {number} of {list(inputs)}", GRADIENT)


def check_stacked(run: Run) -> None:
    """Two layers, the static input in the second one only."""
    golden = load("stacked")
    lower, upper = parameters(golden, "lstm1/"), parameters(golden, "lstm2/")
    warm1 = run(golden["warm_x"], None, lower, golden["warm_cont"], None)
    warm2 = run(warm1.output, None, upper, golden["warm_cont"], golden["warm_x_static"])
    assert_equal_to_oracle(warm2.output, golden["warm_h2"], "warm h2", FORWARD)
    x, static = golden["x"].requires_grad_(), golden["x_static"].requires_grad_()
    state1 = (warm1.h_n.detach(), warm1.c_n.detach())
    state2 = (warm2.h_n.detach(), warm2.c_n.detach())
    first = run(x, state1, lower, golden["cont"], None)
    second = run(first.output, state2, upper, golden["cont"], static)
    for name, ours in {
        "h1": first.output, "c1": first.cells, "h2": second.output, "c2": second.cells,
    }.items():  # fmt: skip
        assert_equal_to_oracle(ours, golden[name], name, FORWARD)
    gradients = torch.autograd.grad(
        second.output, [x, static, first.output, *lower, *upper], golden["d_h2"]
    )
    wanted = [
        golden["d_x"],
        golden["d_x_static"],
        golden["d_h1"],
        *parameter_gradients(golden, "lstm1/"),
        *parameter_gradients(golden, "lstm2/"),
    ]
    for number, (ours, caffes) in enumerate(zip(gradients, wanted, strict=True)):
        assert_equal_to_oracle(ours, caffes, f"gradient {number}", GRADIENT)


def check_stream(run: Run) -> None:
    """T = 1, called step by step with the state carried over, as a stream of frames comes."""
    golden = load("stream")
    lower, upper = parameters(golden, "lstm1/"), parameters(golden, "lstm2/")
    state1 = state2 = None
    with torch.no_grad():
        for call in range(golden["x"].shape[0]):
            if call == int(golden["reset_before_call"]):
                state1 = state2 = None
            cont = golden["cont"][call : call + 1]
            first = run(golden["x"][call : call + 1], state1, lower, cont, None)
            second = run(first.output, state2, upper, cont, golden["x_static"])
            state1, state2 = (first.h_n, first.c_n), (second.h_n, second.c_n)
            for name, ours in {
                "h1": first.h_n, "c1": first.c_n, "h2": second.h_n, "c2": second.c_n,
            }.items():  # fmt: skip
                assert_equal_to_oracle(ours[0], golden[name][call], f"{name}, {call}", FORWARD)
