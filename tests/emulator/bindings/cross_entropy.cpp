#include "lrcn_fast/cross_entropy.h"

#include "arrays.h"

namespace lrcn_fast::emulator {
namespace {

void cross_entropy(py::array logits, const py::array& targets, const py::array& scale, std::int64_t ignore_index,
                   bool gradient, py::array losses) {
  Arrays arrays;
  CrossEntropy p = {};
  p.dtype = dtype_of(logits);
  p.rows = logits.shape(0);
  p.words = logits.shape(1);
  p.logits = arrays.out("logits", logits);
  p.gradient = gradient;
  p.targets = static_cast<const std::int64_t*>(arrays.in("targets", targets));
  p.ignore_index = ignore_index;
  p.scale = arrays.in("scale", scale);
  p.losses = arrays.out("losses", losses);
  arrays.run(cross_entropy_cuda, p);
}

const Registration registration([](py::module_& m) {
  using py::arg;
  m.def("cross_entropy", cross_entropy, arg("logits"), arg("targets"), arg("scale"), arg("ignore_index"),
        arg("gradient"), arg("losses"));
});

}  // namespace
}  // namespace lrcn_fast::emulator
