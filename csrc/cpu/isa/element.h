#pragma once

#include "storage.h"

namespace lrcn_fast::cpu::LRCN_ISA {

template <class S>
struct Element {
  using Type = S;
};

// visit(Element<S>{}) with the element type of a run-time dtype.
template <class Visitor>
auto with_dtype(DType dtype, Visitor&& visit) {
  switch (dtype) {
    case DType::kFloat64:
      return visit(Element<double>{});
    case DType::kFloat16:
      return visit(Element<Half>{});
    case DType::kBFloat16:
      return visit(Element<BFloat16>{});
    case DType::kFloat32:
      break;
  }
  return visit(Element<float>{});
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
