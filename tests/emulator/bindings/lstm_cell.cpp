#include "lrcn_fast/lstm_cell.h"

#include "arrays.h"

namespace lrcn_fast::emulator {
namespace {

using Optional = std::optional<py::array>;

std::int64_t row_stride(const py::array& array) { return array.strides(0) / array.itemsize(); }
std::int64_t row_stride(const Optional& array) { return array ? row_stride(*array) : 0; }

void forward(const py::array& gates, const Optional& c0, py::array h, py::array c, py::array activations) {
  Arrays arrays;
  LstmCellForward p = {};
  p.dtype = dtype_of(gates);
  p.batch = h.shape(0);
  p.hidden = h.shape(1);
  p.gates = arrays.in("gates", gates);
  p.gates_stride = row_stride(gates);
  p.c0 = arrays.in("c0", c0);
  p.c0_stride = row_stride(c0);
  p.h = arrays.out("h", h);
  p.c = arrays.out("c", c);
  p.activations = arrays.out("activations", activations);
  arrays.run(lstm_cell_forward_cuda, p);
}

void backward(const Optional& grad_h, const Optional& grad_c, const py::array& activations, const py::array& c,
              const Optional& c0, py::array grad_gates, py::array grad_c0) {
  Arrays arrays;
  LstmCellBackward p = {};
  p.dtype = dtype_of(c);
  p.batch = c.shape(0);
  p.hidden = c.shape(1);
  p.grad_h = arrays.in("grad_h", grad_h);
  p.grad_h_stride = row_stride(grad_h);
  p.grad_c = arrays.in("grad_c", grad_c);
  p.grad_c_stride = row_stride(grad_c);
  p.activations = arrays.in("activations", activations);
  p.activations_stride = row_stride(activations);
  p.c = arrays.in("c", c);
  p.c_stride = row_stride(c);
  p.c0 = arrays.in("c0", c0);
  p.c0_stride = row_stride(c0);
  p.grad_gates = arrays.out("grad_gates", grad_gates);
  p.grad_c0 = arrays.out("grad_c0", grad_c0);
  arrays.run(lstm_cell_backward_cuda, p);
}

const Registration registration([](py::module_& m) {
  using py::arg;
  m.def("lstm_cell_forward", forward, arg("gates"), arg("c0"), arg("h"), arg("c"), arg("activations"));
  m.def("lstm_cell_backward", backward, arg("grad_h"), arg("grad_c"), arg("activations"), arg("c"), arg("c0"),
        arg("grad_gates"), arg("grad_c0"));
});

}  // namespace
}  // namespace lrcn_fast::emulator
