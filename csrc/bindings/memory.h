#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lrcn_fast::bindings {

// The system hands a large block over page by page as it is first written, which takes longer than the writing. Pages
// of 2 MiB are as many times fewer. Asked for inside the block alone, so that it takes no more memory than before; a
// system without them refuses, and nothing changes.
inline torch::stable::Tensor of_large_pages(torch::stable::Tensor tensor) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
  const std::size_t bytes = static_cast<std::size_t>(tensor.numel()) * tensor.element_size();
  if (!tensor.is_cpu() || bytes < 2 * kPage) return tensor;
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.mutable_data_ptr());
  const std::uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const std::uintptr_t last = (begin + bytes) / kPage * kPage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
  return tensor;
}

}  // namespace lrcn_fast::bindings
