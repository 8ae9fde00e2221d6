#include "lrcn_fast/frames_to_input.h"

#include "arrays.h"

namespace lrcn_fast::emulator {
namespace {

using Optional = std::optional<py::array>;

std::int64_t stride(const py::array& array, int dimension) { return array.strides(dimension) / array.itemsize(); }

// frames (N, Y, X, C), input (N, C, Y, X) or with channels_last (N, Y, X, C).
void frames_to_input(const py::array& frames, const Optional& offsets, const Optional& mirror,
                     const Optional& mean_image, const std::vector<double>& mean, const std::vector<double>& scale,
                     bool swap_rb, int flow_channel, bool channels_last, py::array input) {
  Arrays arrays;
  FramesToInput p = {};
  p.dtype = dtype_of(input);
  p.frames = frames.shape(0);
  p.frame_height = frames.shape(1);
  p.frame_width = frames.shape(2);
  p.channels = frames.shape(3);
  p.height = input.shape(channels_last ? 1 : 2);
  p.width = input.shape(channels_last ? 2 : 3);
  p.pixels = static_cast<const std::uint8_t*>(arrays.in("frames", frames));
  p.frame_stride = stride(frames, 0);
  p.row_stride = stride(frames, 1);
  p.column_stride = stride(frames, 2);
  p.channel_stride = stride(frames, 3);
  p.offsets = static_cast<const std::int64_t*>(arrays.in("offsets", offsets));
  p.mirror = static_cast<const bool*>(arrays.in("mirror", mirror));
  p.inverted = -1;
  for (int channel = 0; channel < p.channels; ++channel) {
    p.source[channel] = swap_rb && channel < 3 ? 2 - channel : channel;
    if (p.source[channel] == flow_channel) p.inverted = channel;
    p.mean[channel] = mean[channel];
    p.scale[channel] = scale[channel];
  }
  p.mean_image = arrays.in("mean_image", mean_image);
  if (mean_image) {
    p.mean_channel_stride = stride(*mean_image, 0);
    p.mean_row_stride = stride(*mean_image, 1);
    p.mean_column_stride = stride(*mean_image, 2);
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
