#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "emulator/buffers.h"
#include "lrcn_fast/types.h"

// What a binding of a kernel is made of.

namespace lrcn_fast::emulator {

namespace py = pybind11;

// A binding's file adds its functions to the module:
//   const Registration registration([](py::module_& m) { m.def(...); });
struct Registration {
  explicit Registration(void (*bind)(py::module_&));
};

// NumPy arrays as the buffers of a call. NumPy has no bfloat16: its bits come as uint16.
class Arrays {
 public:
  // Arrays that the kernels read; writing to them is an error. Null for None.
  const void* in(const char* name, const py::array& array) { return add(name, array, false); }
  const void* in(const char* name, const std::optional<py::array>& array) { return array ? in(name, *array) : nullptr; }
  // Arrays that the kernels write.
  void* out(const char* name, py::array& array) {
    if (!array.writeable()) throw py::value_error(std::string(name) + " is read-only");
    return add(name, array, true);
  }
  void* out(const char* name, std::optional<py::array>& array) { return array ? out(name, *array) : nullptr; }
  // Memory of the device alone: NaN everywhere, or zeros.
  void* scratch(const char* name, std::size_t bytes) { return buffers_.scratch(name, bytes); }
  void* zeros(const char* name, std::size_t bytes) { return buffers_.zeros(name, bytes); }

  // Calls a host launcher, raises a RuntimeError where it refuses, and copies the outputs back.
  template <class Params>
  void run(Status (*launcher)(const Params&, void*), const Params& params) {
    run([&] { return launcher(params, nullptr); });
  }
  void run(const std::function<Status()>& launches);

 private:
  void* add(const char* name, const py::array& array, bool writable);

  Buffers buffers_;
};

// Of an array of floats, or of uint16 with the bits of bfloat16.
DType dtype_of(const py::array& array);

}  // namespace lrcn_fast::emulator
