#pragma once

#include <cstdint>
#include <vector>

#include "lrcn_fast/lstm_plan.h"

// The rows of lstm_variants.h as numbers. csrc/cuda/stationary.cuh and lstm_{cluster,grid}_*.cuh compute the same from
// template arguments.

namespace lrcn_fast::plan {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;

struct Variant {
  LstmKernel kernel;
  std::int32_t position;  // in its list
  bool backward;
  std::int64_t element_bytes;
  int groups, octets, shares, chunks, in_registers, eights;

  int tiles() const { return (backward ? 1 : 2) * octets * shares; }  // of 16 rows of weights that a warp holds
  int splits() const { return kWarps / groups; }                      // warps that share out the depth
  std::int64_t rows() const { return 8 * eights; }
  std::int64_t units() const { return (backward ? 16 : 8) * groups * octets; }
  std::int64_t depth() const { return 64 / element_bytes * splits() * chunks; }    // that a block multiplies
  std::int64_t capacity() const { return shares * depth() / (backward ? 4 : 1); }  // hidden units
  // Blocks. A grid has as many clusters as hidden units need.
  std::int64_t cluster() const { return kernel == LstmKernel::kCluster ? capacity() / units() : shares; }
  std::int64_t weight_rows() const { return 16 * tiles() * groups; }

  std::int64_t weight_registers() const { return 8 * in_registers; }  // of a thread
  std::int64_t register_bytes() const { return 4 * kThreads * weight_registers(); }
  std::int64_t weight_bytes() const { return 32 * kThreads * (tiles() * chunks - in_registers); }  // in shared memory
  std::int64_t partial_bytes() const { return 4 * 128 * kWarps * tiles() * eights; }
  // What the other blocks of a cluster that share out the depth send to one of them for a slice.
  std::int64_t sums_bytes() const { return 4 * (shares - 1) * rows() * units() * (backward ? 1 : 4); }
  std::int64_t shared_bytes(std::int64_t batch) const;
};

// Those that were compiled for a dtype, both kernels.
std::vector<Variant> variants_of(bool backward, std::int64_t element_bytes);

}  // namespace lrcn_fast::plan
