"""The tests that need a GPU: found without one, chosen by ``-m gpu``, skipped for one reason."""

import re
import sys
from functools import cache

from tests.packaging.run import ROOT, environment, run

EXPECTED = """
test_amp: test_grad_scaler test_gradients_have_the_parameters_dtype
test_amp: test_values_are_those_of_the_half_module
test_conv_frames: test_by_the_function test_case
test_captions: test_loss test_sentences_of_the_cpu test_step test_steps_in_a_graph
test_captions: test_the_host_does_not_wait test_top_k
test_compile: test_export test_full_graph test_reduced_overhead test_step_of_one_frame
test_determinism: test_a_stream_does_not_depend_on_its_neighbours test_repetition
test_errors: test_backward test_cell test_forward test_gates_that_are_not_floating test_module
test_errors: test_native_kernels_are_there_where_they_were_compiled
test_frame_features: test_the_host_does_not_wait
test_frame_features: test_the_host_waits_once_for_what_lies_there test_values_of_the_cpu
test_frames_to_input: test_case test_opcheck test_the_host_does_not_wait
test_graphs: test_inference test_make_graphed_callables test_training_step
test_limits: test_empty_batch test_empty_batch_of_a_module test_more_steps_than_cudnn_takes
test_lstm_backward: test_autograd test_autograd_against_cudnn test_case
test_lstm_backward: test_missing_gradients_are_zeros
test_lstm_cell: test_backward test_forward test_memory test_strided_arguments
test_lstm_cell: test_values_of_the_cpu
test_lstm_forward: test_case test_nan_dies_where_a_sequence_starts
test_lstm_forward: test_saturated_gates_stay_finite test_what_is_saved_changes_nothing_else
test_lstm_scans: test_each_scan test_wavefront
test_memory: test_everything_is_given_back test_fresh_memory_is_written_and_inputs_are_not
test_memory: test_lengths_out_of_range test_peak_of_a_training_step
test_module: test_cell test_drop_in test_dropout_of_zero_and_evaluation
test_module: test_everything_at_once test_lengths_are_those_of_a_packed_sequence
test_module: test_packed_sequence
test_opcheck: test_backward test_cell test_forward test_other_dtypes
test_relu_max_pool_lrn: test_case test_opcheck test_repetition test_the_host_does_not_wait
test_streams: test_graph_on_a_second_device test_second_device test_side_stream
test_streams: test_side_stream_of_a_second_device test_streams_side_by_side
test_sync: test_forward_and_backward test_step test_the_check_is_alive
test_tf32: test_backward test_forward test_gradients_take_the_precision
test_tf32: test_the_users_precision_arrives test_three_products_are_far_better_than_one
"""


@cache
def without_a_gpu() -> str:
    """What pytest prints of all of them on a machine without a GPU, a line for each."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu", "-v", "-rs"]
    return run([*command, "tests"], cwd=ROOT, env=environment(CUDA_VISIBLE_DEVICES=""))


def test_all_are_found() -> None:
    found = {
        f"{module}: {name}"
        for module, name in re.findall(r"^tests/gpu/(\w+)\.py::(\w+)", without_a_gpu(), re.M)
    }
    expected = {
        f"{module}: {name}"
        for module, _, names in (line.partition(":") for line in EXPECTED.split("\n"))
        for name in names.split()
    }
    assert expected - found == set()


def test_all_are_skipped_for_one_reason() -> None:
    shown = without_a_gpu()
    reasons = re.findall(r"^SKIPPED \[(\d+)\] (\S+): (.+)$", shown, re.M)
    assert [reason for _, _, reason in reasons] == [
        "needs a CUDA GPU: torch.cuda.is_available() is False"
    ]
    assert re.search(rf"^=+ {reasons[0][0]} skipped, \d+ deselected", shown, re.M)


def test_every_gpu_test_is_marked_and_no_other() -> None:
    files = {line.split("::")[0] for line in without_a_gpu().splitlines() if "::" in line}
    folder = ROOT / "tests" / "gpu"
    assert files == {str(path.relative_to(ROOT)) for path in folder.glob("test_*.py")}
