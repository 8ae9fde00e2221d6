#include "lrcn_fast/frames_to_input.h"

#include "arrays.h"
#include "windows.h"

namespace lrcn_fast::emulator {
namespace {

using Optional = std::optional<py::array>;

// frames (N, Y, X, C), input (N, C, Y, X) or with channels_last (N, Y, X, C).
void frames_to_input(const py::array& frames, const Optional& offsets, const Optional& mirror,
                     const Optional& mean_image, const std::vector<double>& mean, const std::vector<double>& scale,
                     bool swap_rb, int flow_channel, bool channels_last, py::array input) {
  Arrays arrays;
  FramesToInput p = {};
  p.dtype = dtype_of(input);
  take_windows(p, arrays, frames, offsets, mirror, input.shape(channels_last ? 1 : 2),
               input.shape(channels_last ? 2 : 3));
  p.inverted = -1;
  for (int channel = 0; channel < p.channels; ++channel) {
    p.source[channel] = swap_rb && channel < 3 ? 2 - channel : channel;
    if (p.source[channel] == flow_channel) p.inverted = channel;
    p.mean[channel] = mean[channel];
    p.scale[channel] = scale[channel];
  }
  p.mean_image = arrays.in("mean_image", mean_image);
  if (mean_image) {
    p.mean_channel_stride = stride_of(*mean_image, 0);
    p.mean_row_stride = stride_of(*mean_image, 1);
    p.mean_column_stride = stride_of(*mean_image, 2);
  }
  p.channels_last = channels_last;
  p.input = arrays.out("input", input);
  arrays.run(frames_to_input_cuda, p);
}

const Registration registration([](py::module_& m) {
  using py::arg;
  m.def("frames_to_input", frames_to_input, arg("frames"), arg("offsets"), arg("mirror"), arg("mean_image"),
        arg("mean"), arg("scale"), arg("swap_rb"), arg("flow_channel"), arg("channels_last"), arg("input"));
});

}  // namespace
}  // namespace lrcn_fast::emulator
