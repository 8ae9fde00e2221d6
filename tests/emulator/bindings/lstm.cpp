#include "lrcn_fast/lstm.h"

#include <string>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "lrcn_fast/lstm_plan.h"

namespace lrcn_fast::emulator {
namespace {

using Optional = std::optional<py::array>;

std::int64_t stride(const py::array& array, int dimension) { return array.strides(dimension) / array.itemsize(); }

// The arguments of a scan by name: arrays, None, and what is true of it.
class Scan {
 public:
  Scan(Arrays& arrays, const py::dict& values)
      : batch_first(truth(values, "batch_first")),
        reverse(truth(values, "reverse")),
        arrays_(arrays),
        values_(values) {}

  const bool batch_first, reverse;

  Optional array(const char* name) const { return values_[name].cast<Optional>(); }
  const void* in(const char* name) const { return arrays_.in(name, array(name)); }
  void* out(const char* name) const {
    Optional given = array(name);
    return arrays_.out(name, given);
  }
  // Of a sequence (T, B, ..), or (B, T, ..) with batch_first.
  std::int64_t steps(const char* name) const { return array(name)->shape(batch_first ? 1 : 0); }
  std::int64_t batch(const char* name) const { return array(name)->shape(batch_first ? 0 : 1); }
  std::int64_t step(const char* name) const { return stride_or_zero(name, batch_first ? 1 : 0); }
  std::int64_t row(const char* name) const { return stride_or_zero(name, batch_first ? 0 : 1); }

  // frames: any array over all frames.
  LstmShape shape(const char* frames, std::int64_t hidden) const {
    LstmShape shape = {};
    shape.dtype = dtype_of(*array(frames));
    shape.steps = steps(frames);
    shape.batch = batch(frames);
    shape.hidden = hidden;
    shape.projected = array("weight_hh")->shape(1);
    shape.frame_step = batch_first ? 1 : shape.batch;
    shape.frame_row = batch_first ? shape.steps : 1;
    shape.reverse = reverse;
    shape.cont = static_cast<const bool*>(in("cont"));
    shape.cont_step = step("cont");
    shape.cont_row = row("cont");
    shape.lengths = static_cast<const std::int64_t*>(in("lengths"));
    shape.weight_hh = in("weight_hh");
    shape.weight_hr = in("weight_hr");
    return shape;
  }
  void* workspace(std::size_t bytes) const { return arrays_.scratch("workspace", bytes); }

 private:
  static bool truth(const py::dict& values, const char* name) { return values[name].cast<bool>(); }
  std::int64_t stride_or_zero(const char* name, int dimension) const {
    const Optional given = array(name);
    return given ? stride(*given, dimension) : 0;
  }

  Arrays& arrays_;
  const py::dict& values_;
};

LstmForward forward_of(const Scan& scan, const LstmPlan& plan) {
  LstmForward args = {};
  args.shape = scan.shape("gates", scan.array("gates")->shape(2) / 4);
  args.gates = scan.in("gates");
  args.gates_step = scan.step("gates");
  args.gates_row = scan.row("gates");
  args.static_gates = scan.in("static_gates");
  args.h0 = scan.in("h0");
  args.c0 = scan.in("c0");
  args.output = scan.out("output");
  args.h_n = scan.out("h_n");
  args.c_n = scan.out("c_n");
  args.cells = scan.out("cells");
  args.activations = scan.out("activations");
  args.workspace = scan.workspace(lstm_workspace_cuda(args, plan));
  return args;
}

LstmBackward backward_of(const Scan& scan, const LstmPlan& plan) {
  LstmBackward args = {};
  args.shape = scan.shape("activations", scan.array("cells")->shape(2));
  args.grad_output = scan.in("grad_output");
  args.grad_output_step = scan.step("grad_output");
  args.grad_output_row = scan.row("grad_output");
  args.grad_cells = scan.in("grad_cells");
  args.grad_cells_step = scan.step("grad_cells");
  args.grad_cells_row = scan.row("grad_cells");
  args.grad_h_n = scan.in("grad_h_n");
  args.grad_c_n = scan.in("grad_c_n");
  args.activations = scan.in("activations");
  args.cells = scan.in("cells");
  args.c0 = scan.in("c0");
  args.grad_gates = scan.out("grad_gates");
  args.grad_h0 = scan.out("grad_h0");
  args.grad_c0 = scan.out("grad_c0");
  args.grad_hidden = scan.out("grad_hidden");
  args.workspace = scan.workspace(lstm_workspace_cuda(args, plan));
  return args;
}

// Kernel, variant and scans of a launch.
using Choices = std::vector<std::tuple<int, int, int>>;

LstmPlan plan_of(const Choices& choices) {
  LstmPlan plan = {};
  for (const auto& [kernel, variant, scans] : choices) {
    plan.choice[plan.choices++] = {static_cast<LstmKernel>(kernel), variant, scans};
  }
  return plan;
}

void forward(const std::vector<py::dict>& scans, int tf32, const Choices& choices) {
  Arrays arrays;
  const LstmPlan plan = plan_of(choices);
  std::vector<LstmForward> args;
  for (const py::dict& values : scans) args.push_back(forward_of(Scan(arrays, values), plan));
  arrays.run([&] {
    return lstm_forward_cuda(args.data(), static_cast<int>(args.size()), static_cast<Float32Products>(tf32), plan,
                             nullptr);
  });
}

void backward(const std::vector<py::dict>& scans, int tf32, const Choices& choices) {
  Arrays arrays;
  const LstmPlan plan = plan_of(choices);
  std::vector<LstmBackward> args;
  std::vector<TransposedWeights> weights;
  for (const py::dict& values : scans) {
    const Scan scan(arrays, values);
    args.push_back(backward_of(scan, plan));
    weights.push_back({scan.in("weight_hh_transposed"), scan.in("weight_hr_transposed")});
  }
  const Transposer transposer = {[](void* given, int n) { return static_cast<const TransposedWeights*>(given)[n]; },
                                 weights.data()};
  arrays.run([&] {
    return lstm_backward_cuda(args.data(), static_cast<int>(args.size()), transposer,
                              static_cast<Float32Products>(tf32), plan, nullptr);
  });
}

const Registration registration([](py::module_& m) {
  using py::arg;
  m.def("lstm_forward", forward, arg("scans"), arg("tf32"), arg("choices"));
  m.def("lstm_backward", backward, arg("scans"), arg("tf32"), arg("choices"));
});

}  // namespace
}  // namespace lrcn_fast::emulator
