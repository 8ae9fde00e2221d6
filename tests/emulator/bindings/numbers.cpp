#include "primitives/numbers.h"

#include "arrays.h"
#include "primitives/matrix.h"

// The conversions of numbers, element by element.

namespace lrcn_fast::emulator {
namespace {

template <class To, class From, class Convert>
py::array_t<To> map(const py::array_t<From>& in, Convert convert) {
  py::array_t<To> out(in.size());
  for (py::ssize_t i = 0; i < in.size(); ++i) out.mutable_data()[i] = convert(in.data()[i]);
  return out;
}

const Registration registration([](py::module_& m) {
  m.def("float_to_half", [](const py::array_t<float>& in) {
    return map<std::uint16_t>(in, [](float v) { return cuda::to_storage<cuda::half_t>(v).bits; });
  });
  m.def("float_to_bfloat16", [](const py::array_t<float>& in) {
    return map<std::uint16_t>(in, [](float v) { return cuda::to_storage<cuda::bfloat16_t>(v).bits; });
  });
  m.def("half_to_float", [](const py::array_t<std::uint16_t>& in) {
    return map<float>(in, [](std::uint16_t bits) { return cuda::to_real(cuda::half_t{bits}); });
  });
  m.def("bfloat16_to_float", [](const py::array_t<std::uint16_t>& in) {
    return map<float>(in, [](std::uint16_t bits) { return cuda::to_real(cuda::bfloat16_t{bits}); });
  });
  m.def("float_to_tf32", [](const py::array_t<float>& in) { return map<std::uint32_t>(in, cuda::to_tf32); });
});

}  // namespace
}  // namespace lrcn_fast::emulator
