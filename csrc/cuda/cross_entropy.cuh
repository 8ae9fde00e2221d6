#pragma once

#include <algorithm>
#include <cstdint>

#include "lrcn_fast/cross_entropy.h"
#include "numeric.cuh"
#include "primitives/barrier.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/shared.h"
#include "score_sum.cuh"

// The kernel of cross_entropy.h. A block takes a row at a time: one pass finds the greatest score and the sum, another
// writes the gradient, for which the row is still in L2. Ignored rows are only written to.

namespace lrcn_fast::cuda {

// Of all threads of the block, for each of them. `scratch` has room for one of each warp.
template <class R>
__device__ ScoreSum<R> block_sum(ScoreSum<R> total, ScoreSum<R>* scratch) {
  total = warp_sum(total);
  if (lane() == 0) {
    store_shared(&scratch[warp()].greatest, total.greatest);
    store_shared(&scratch[warp()].sum, total.sum);
  }
  block_barrier();
  total = ScoreSum<R>::none();
  for (unsigned each = 0; each < thread_count() / 32; ++each) {
    total.add(ScoreSum<R>{load_shared(&scratch[each].greatest), load_shared(&scratch[each].sum)});
  }
  // The next row writes to it again.
  block_barrier();
  return total;
}

template <class T>
__global__ void cross_entropy_kernel(CrossEntropy p) {
  using R = Real<T>;
  auto* scratch = reinterpret_cast<ScoreSum<R>*>(dynamic_shared());
  for (std::int64_t row = block_x(); row < p.rows; row += blocks_x()) {
    T* logits = static_cast<T*>(p.logits) + row * p.words;
    R* loss = static_cast<R*>(p.losses) + row;
    const std::int64_t target = load_constant(p.targets + row);
    if (target == p.ignore_index) {
      if (thread_index() == 0) store(loss, R(0));
      for (std::int64_t v = thread_index(); p.gradient && v < p.words; v += thread_count()) {
        store_real(logits + v, R(0));
      }
      continue;
    }
    ScoreSum<R> total = ScoreSum<R>::none();
    for (std::int64_t v = thread_index(); v < p.words; v += thread_count()) total.add(load_real(logits + v));
    const bool known = target >= 0 && target < p.words;
    const R chosen = known ? load_real(logits + target) : R(NAN);
    // Its barriers also let no thread write to a score before all have read the target's.
    total = block_sum(total, scratch);
    if (thread_index() == 0) store(loss, logarithm(total.sum) + (total.greatest - chosen));
    if (!p.gradient) continue;

    const R scale = load_constant(static_cast<const R*>(p.scale));
    const R factor = scale / total.sum;
    for (std::int64_t v = thread_index(); v < p.words; v += thread_count()) {
      const R share = exponential(load_real(logits + v) - total.greatest) * factor;
      store_real(logits + v, v == target ? share - scale : share);
    }
  }
}

constexpr std::int64_t kMostThreads = 256;

// What each warp has of a row meets there.
template <class R>
std::size_t cross_entropy_shared_bytes(std::int64_t threads) {
  return static_cast<std::size_t>(threads / 32) * 2 * sizeof(R);
}

inline Status cross_entropy(const CrossEntropy& params, void* stream) {
  constexpr std::int64_t kWarp = 32, kMostBlocks = 1 << 20;
  if (params.rows < 0 || params.words < 1) return Status::kInvalidSize;
  if (params.rows == 0) return Status::kOk;

  const std::int64_t threads = std::min(kMostThreads, (params.words + kWarp - 1) / kWarp * kWarp);
  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>(std::min(params.rows, kMostBlocks));
  shape.threads = static_cast<unsigned>(threads);
  const auto with = [&](auto kernel, std::size_t shared_bytes) {
    shape.shared_bytes = shared_bytes;
    return launch(kernel, shape, params, stream);
  };
  switch (params.dtype) {
    case DType::kFloat32:
      return with(cross_entropy_kernel<float>, cross_entropy_shared_bytes<float>(threads));
    case DType::kFloat64:
      return with(cross_entropy_kernel<double>, cross_entropy_shared_bytes<double>(threads));
    case DType::kFloat16:
      return with(cross_entropy_kernel<half_t>, cross_entropy_shared_bytes<float>(threads));
    case DType::kBFloat16:
      return with(cross_entropy_kernel<bfloat16_t>, cross_entropy_shared_bytes<float>(threads));
  }
  return Status::kUnsupportedDType;
}

}  // namespace lrcn_fast::cuda
