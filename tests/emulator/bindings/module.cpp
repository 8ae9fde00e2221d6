#include <stdexcept>

#include "arrays.h"
#include "emulator/control.h"
#include "lrcn_fast/launch_error.h"

namespace lrcn_fast::emulator {
namespace {

std::vector<void (*)(py::module_&)>& registered() {
  static std::vector<void (*)(py::module_&)> bindings;
  return bindings;
}

// The runs of an array whose last dimension lies together, from its outermost dimension in.
void find_runs(const py::array& array, py::ssize_t dimension, std::size_t offset, std::vector<Run>& runs) {
  const bool whole = dimension == array.ndim();
  if (whole || (dimension == array.ndim() - 1 && array.strides(dimension) == array.itemsize())) {
    const std::size_t count = whole ? 1 : static_cast<std::size_t>(array.shape(dimension));
    const std::size_t bytes = count * static_cast<std::size_t>(array.itemsize());
    if (!runs.empty() && runs.back().offset + runs.back().bytes == offset) {
      runs.back().bytes += bytes;
    } else {
      runs.push_back({offset, bytes});
    }
    return;
  }
  for (py::ssize_t i = 0; i < array.shape(dimension); ++i) {
    find_runs(array, dimension + 1, offset + static_cast<std::size_t>(i * array.strides(dimension)), runs);
  }
}

}  // namespace

Registration::Registration(void (*bind)(py::module_&)) { registered().push_back(bind); }

void* Arrays::add(const char* name, const py::array& array, bool writable) {
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    if (array.strides(i) < 0) throw py::value_error(std::string(name) + " has a negative stride");
  }
  std::vector<Run> runs;
  if (array.size() > 0) find_runs(array, 0, 0, runs);
  const std::size_t bytes = runs.empty() ? 0 : runs.back().offset + runs.back().bytes;
  return buffers_.add(name, const_cast<void*>(array.data()), bytes, runs, writable);
}

void Arrays::run(const std::function<Status()>& launches) {
  const Status status = launches();
  if (status != Status::kOk) {
    const std::string reason = status == Status::kLaunchFailed ? std::string(": ") + launch_error() : "";
    throw std::runtime_error(to_string(status) + reason);
  }
  buffers_.copy_back();
}

DType dtype_of(const py::array& array) {
  switch (array.dtype().char_()) {
    case 'f':
      return DType::kFloat32;
    case 'd':
      return DType::kFloat64;
    case 'e':
      return DType::kFloat16;
    case 'H':
      return DType::kBFloat16;
    default:
      throw py::type_error("expected float16, float32, float64, or uint16 for bfloat16");
  }
}

}  // namespace lrcn_fast::emulator

PYBIND11_MODULE(lrcn_fast_emulator, m) {
  namespace emulator = lrcn_fast::emulator;
  m.doc() = "The CUDA kernels of lrcn_fast on the CPU.";
  m.def("set_seed", emulator::set_seed, pybind11::arg("seed"));
  m.def("set_compute_capability", emulator::set_compute_capability, pybind11::arg("capability"));
  m.def("last_shared_bytes", emulator::last_shared_bytes);
  m.def("set_multiprocessors", emulator::set_multiprocessors, pybind11::arg("count"));
  m.def("set_blocks_at_once", emulator::set_blocks_at_once, pybind11::arg("count"));
  m.def("last_launch", emulator::last_launch);
  m.def("launches", emulator::launches);
  for (const auto bind : emulator::registered()) bind(m);
}
