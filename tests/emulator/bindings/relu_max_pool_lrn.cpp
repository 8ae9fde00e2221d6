#include "lrcn_fast/relu_max_pool_lrn.h"

#include "arrays.h"

namespace lrcn_fast::emulator {
namespace {

using Optional = std::optional<py::array>;

// The options in the order of the operators' schema.
struct Options {
  bool relu;
  std::int64_t kernel_y, kernel_x, stride_y, stride_x;
  bool ceil_mode;
  std::int64_t lrn_size;
  double alpha, beta, k;
  bool lrn_first;

  explicit Options(const py::tuple& fields)
      : relu(fields[0].cast<bool>()),
        kernel_y(fields[1].cast<std::int64_t>()),
        kernel_x(fields[2].cast<std::int64_t>()),
        stride_y(fields[3].cast<std::int64_t>()),
        stride_x(fields[4].cast<std::int64_t>()),
        ceil_mode(fields[5].cast<bool>()),
        lrn_size(fields[6].cast<std::int64_t>()),
        alpha(fields[7].cast<double>()),
        beta(fields[8].cast<double>()),
        k(fields[9].cast<double>()),
        lrn_first(fields[10].cast<bool>()) {}
};

// input and pooled: a map of each size, (N, C, Y, X) or channels-last (N, Y, X, C).
ReluMaxPoolLrnShape shape_of(const py::array& input, const py::array& pooled, bool channels_last,
                             const Options& options) {
  const int first = channels_last ? 1 : 2;
  ReluMaxPoolLrnShape shape = {};
  shape.dtype = dtype_of(input);
  shape.channels_last = channels_last;
  shape.frames = input.shape(0);
  shape.channels = input.shape(channels_last ? 3 : 1);
  shape.height = input.shape(first);
  shape.width = input.shape(first + 1);
  shape.pooled_height = pooled.shape(first);
  shape.pooled_width = pooled.shape(first + 1);
  shape.kernel_y = options.kernel_y;
  shape.kernel_x = options.kernel_x;
  shape.stride_y = options.stride_y;
  shape.stride_x = options.stride_x;
  shape.lrn_size = options.lrn_size;
  shape.alpha = options.alpha;
  shape.beta = options.beta;
  shape.k = options.k;
  shape.relu = options.relu;
  shape.lrn_first = options.lrn_first && options.lrn_size > 0;
  return shape;
}

void forward(const py::array& x, const py::tuple& options, bool channels_last, py::array output, Optional pooled,
             Optional index) {
  Arrays arrays;
  ReluMaxPoolLrnForward p = {};
  p.shape = shape_of(x, output, channels_last, Options(options));
  p.x = arrays.in("x", x);
  p.output = arrays.out("output", output);
  p.pooled = arrays.out("pooled", pooled);
  p.index = static_cast<std::uint8_t*>(arrays.out("index", index));
  arrays.run(relu_max_pool_lrn_forward_cuda, p);
}

void backward(const py::array& grad, const Optional& values, const Optional& index, const py::tuple& options,
              bool channels_last, py::array grad_x) {
  Arrays arrays;
  ReluMaxPoolLrnBackward p = {};
  p.shape = shape_of(grad_x, grad, channels_last, Options(options));
  p.grad = arrays.in("grad", grad);
  p.values = arrays.in("values", values);
  p.index = static_cast<const std::uint8_t*>(arrays.in("index", index));
  p.grad_x = arrays.out("grad_x", grad_x);
  arrays.run(relu_max_pool_lrn_backward_cuda, p);
}

const Registration registration([](py::module_& m) {
  m.def("relu_max_pool_lrn_forward", forward);
  m.def("relu_max_pool_lrn_backward", backward);
});

}  // namespace
}  // namespace lrcn_fast::emulator
