#include "lrcn_fast/conv_frames.h"

#include "arrays.h"
#include "windows.h"

namespace lrcn_fast::emulator {
namespace {

// frames (N, Y, X, 3), weight (96, K, K, 3), output (N, Yp, Xp, 96).
void conv_frames(const py::array& frames, const std::optional<py::array>& offsets,
                 const std::optional<py::array>& mirror, const py::array& weight, const py::array& bias, int stride,
                 int height, int width, float alpha, float beta, float k, py::array output) {
  Arrays arrays;
  ConvFrames p = {};
  take_windows(p, arrays, frames, offsets, mirror, height, width);
  p.dtype = dtype_of(weight);
  p.kernel = weight.shape(1);
  p.stride = stride;
  p.weight = arrays.in("weight", weight);
  p.bias = static_cast<const float*>(arrays.in("bias", bias));
  p.alpha = alpha;
  p.beta = beta;
  p.k = k;
  p.output = arrays.out("output", output);
  arrays.run(conv_frames_cuda, p);
}

const Registration registration([](py::module_& m) {
  using py::arg;
  m.def("conv_frames", conv_frames, arg("frames"), arg("offsets"), arg("mirror"), arg("weight"), arg("bias"),
        arg("stride"), arg("height"), arg("width"), arg("alpha"), arg("beta"), arg("k"), arg("output"));
});

}  // namespace
}  // namespace lrcn_fast::emulator
