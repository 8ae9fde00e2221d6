#include "lrcn_fast/lstm.h"

#include "arrays.h"
#include "lrcn_fast/lstm_plan.h"

namespace lrcn_fast::emulator {
namespace {

using Optional = std::optional<py::array>;

std::int64_t stride(const py::array& array, int dimension) { return array.strides(dimension) / array.itemsize(); }

// (T, B, ..), or (B, T, ..) with batch_first.
struct Sequence {
  bool batch_first;
  std::int64_t step(const py::array& array) const { return stride(array, batch_first ? 1 : 0); }
  std::int64_t row(const py::array& array) const { return stride(array, batch_first ? 0 : 1); }
};

// frames is any array over all frames, four_gates one of width 4H.
LstmShape shape_of(Arrays& arrays, const py::array& frames, std::int64_t hidden, std::int64_t projected,
                   const Optional& cont, const Optional& lengths, bool reverse, Sequence sequence) {
  LstmShape shape = {};
  shape.dtype = dtype_of(frames);
  shape.steps = frames.shape(sequence.batch_first ? 1 : 0);
  shape.batch = frames.shape(sequence.batch_first ? 0 : 1);
  shape.hidden = hidden;
  shape.projected = projected;
  shape.frame_step = sequence.batch_first ? 1 : shape.batch;
  shape.frame_row = sequence.batch_first ? shape.steps : 1;
  shape.reverse = reverse;
  shape.cont = static_cast<const bool*>(arrays.in("cont", cont));
  if (cont) {
    shape.cont_step = sequence.step(*cont);
    shape.cont_row = sequence.row(*cont);
  }
  shape.lengths = static_cast<const std::int64_t*>(arrays.in("lengths", lengths));
  return shape;
}

LstmPlan plan_of(int kernel, int variant) {
  LstmPlan plan = {};
  plan.kernel = static_cast<LstmKernel>(kernel);
  plan.variant = variant;
  return plan;
}

void forward(const py::array& gates, const py::array& weight_hh, const Optional& weight_hr,
             const Optional& static_gates, const Optional& h0, const Optional& c0, const Optional& cont,
             const Optional& lengths, bool reverse, bool batch_first, int tf32, int kernel, int variant,
             py::array output, py::array h_n, py::array c_n, Optional cells, Optional activations) {
  Arrays arrays;
  const Sequence sequence{batch_first};
  LstmForward args = {};
  args.shape = shape_of(arrays, gates, gates.shape(2) / 4, weight_hh.shape(1), cont, lengths, reverse, sequence);
  args.shape.weight_hh = arrays.in("weight_hh", weight_hh);
  args.shape.weight_hr = arrays.in("weight_hr", weight_hr);
  args.gates = arrays.in("gates", gates);
  args.gates_step = sequence.step(gates);
  args.gates_row = sequence.row(gates);
  args.static_gates = arrays.in("static_gates", static_gates);
  args.h0 = arrays.in("h0", h0);
  args.c0 = arrays.in("c0", c0);
  args.output = arrays.out("output", output);
  args.h_n = arrays.out("h_n", h_n);
  args.c_n = arrays.out("c_n", c_n);
  args.cells = arrays.out("cells", cells);
  args.activations = arrays.out("activations", activations);
  args.workspace = arrays.scratch("workspace", lstm_forward_workspace_cuda(args.shape));
  arrays.run(
      [&] { return lstm_forward_cuda(args, static_cast<Float32Products>(tf32), plan_of(kernel, variant), nullptr); });
}

void backward(const Optional& grad_output, const Optional& grad_h_n, const Optional& grad_c_n,
              const Optional& grad_cells, const py::array& activations, const py::array& cells,
              const py::array& weight_hh, const py::array& weight_hh_transposed, const Optional& weight_hr_transposed,
              const Optional& c0, const Optional& cont, const Optional& lengths, bool reverse, bool batch_first,
              int tf32, int kernel, int variant, py::array grad_gates, py::array grad_h0, py::array grad_c0,
              Optional grad_hidden) {
  Arrays arrays;
  const Sequence sequence{batch_first};
  const TransposedWeights weights = {arrays.in("weight_hh_transposed", weight_hh_transposed),
                                     arrays.in("weight_hr_transposed", weight_hr_transposed)};
  LstmBackward args = {};
  args.shape =
      shape_of(arrays, activations, cells.shape(2), weight_hh_transposed.shape(0), cont, lengths, reverse, sequence);
  args.shape.weight_hh = arrays.in("weight_hh", weight_hh);
  args.grad_output = arrays.in("grad_output", grad_output);
  if (grad_output) {
    args.grad_output_step = sequence.step(*grad_output);
    args.grad_output_row = sequence.row(*grad_output);
  }
  args.grad_cells = arrays.in("grad_cells", grad_cells);
  if (grad_cells) {
    args.grad_cells_step = sequence.step(*grad_cells);
    args.grad_cells_row = sequence.row(*grad_cells);
  }
  args.grad_h_n = arrays.in("grad_h_n", grad_h_n);
  args.grad_c_n = arrays.in("grad_c_n", grad_c_n);
  args.activations = arrays.in("activations", activations);
  args.cells = arrays.in("cells", cells);
  args.c0 = arrays.in("c0", c0);
  args.grad_gates = arrays.out("grad_gates", grad_gates);
  args.grad_h0 = arrays.out("grad_h0", grad_h0);
  args.grad_c0 = arrays.out("grad_c0", grad_c0);
  args.grad_hidden = arrays.out("grad_hidden", grad_hidden);
  args.workspace = arrays.scratch("workspace", lstm_backward_workspace_cuda(args.shape));
  arrays.run([&] {
    return lstm_backward_cuda(args, weights, static_cast<Float32Products>(tf32), plan_of(kernel, variant), nullptr);
  });
}

const Registration registration([](py::module_& m) {
  using py::arg;
  m.def("lstm_forward", forward, arg("gates"), arg("weight_hh"), arg("weight_hr"), arg("static_gates"), arg("h0"),
        arg("c0"), arg("cont"), arg("lengths"), arg("reverse"), arg("batch_first"), arg("tf32"), arg("kernel"),
        arg("variant"), arg("output"), arg("h_n"), arg("c_n"), arg("cells"), arg("activations"));
  m.def("lstm_backward", backward, arg("grad_output"), arg("grad_h_n"), arg("grad_c_n"), arg("grad_cells"),
        arg("activations"), arg("cells"), arg("weight_hh"), arg("weight_hh_transposed"), arg("weight_hr_transposed"),
        arg("c0"), arg("cont"), arg("lengths"), arg("reverse"), arg("batch_first"), arg("tf32"), arg("kernel"),
        arg("variant"), arg("grad_gates"), arg("grad_h0"), arg("grad_c0"), arg("grad_hidden"));
});

}  // namespace
}  // namespace lrcn_fast::emulator
