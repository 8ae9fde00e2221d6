#include "variants.h"

#include "lrcn_fast/lstm_variants.h"

namespace lrcn_fast::plan {
namespace {

struct Row {
  int groups, octets, shares, chunks, in_registers, eights;
};

#define LRCN_CLUSTER_ROW(groups, ...) {groups, 1, 1, __VA_ARGS__},
#define LRCN_GRID_FORWARD_ROW(...) {1, __VA_ARGS__},
#define LRCN_GRID_BACKWARD_ROW(...) {1, 1, __VA_ARGS__},

constexpr Row kClusterForwardHalf[] = {LRCN_CLUSTER_FORWARD_HALF(LRCN_CLUSTER_ROW)};
constexpr Row kClusterBackwardHalf[] = {LRCN_CLUSTER_BACKWARD_HALF(LRCN_CLUSTER_ROW)};
constexpr Row kClusterForwardTf32[] = {LRCN_CLUSTER_FORWARD_TF32(LRCN_CLUSTER_ROW)};
constexpr Row kClusterBackwardTf32[] = {LRCN_CLUSTER_BACKWARD_TF32(LRCN_CLUSTER_ROW)};
constexpr Row kGridForwardHalf[] = {LRCN_GRID_FORWARD_HALF(LRCN_GRID_FORWARD_ROW)};
constexpr Row kGridBackwardHalf[] = {LRCN_GRID_BACKWARD_HALF(LRCN_GRID_BACKWARD_ROW)};
constexpr Row kGridForwardTf32[] = {LRCN_GRID_FORWARD_TF32(LRCN_GRID_FORWARD_ROW)};
constexpr Row kGridBackwardTf32[] = {LRCN_GRID_BACKWARD_TF32(LRCN_GRID_BACKWARD_ROW)};

#undef LRCN_CLUSTER_ROW
#undef LRCN_GRID_FORWARD_ROW
#undef LRCN_GRID_BACKWARD_ROW

class Variants {
 public:
  Variants(bool backward, std::int64_t element_bytes) : backward_(backward), element_bytes_(element_bytes) {}

  template <std::size_t kCount>
  void add(LstmKernel kernel, const Row (&rows)[kCount]) {
    std::int32_t position = 0;
    for (const Row& row : rows) {
      list.push_back({kernel, position++, backward_, element_bytes_, row.groups, row.octets, row.shares, row.chunks,
                      row.in_registers, row.eights});
    }
  }

  std::vector<Variant> list;

 private:
  bool backward_;
  std::int64_t element_bytes_;
};

}  // namespace

std::int64_t Variant::shared_bytes(std::int64_t batch) const {
  const std::int64_t gates = backward ? 4 : 1;  // values that travel for a hidden unit
  if (kernel == LstmKernel::kCluster) {
    // Rows of states lie half a line of 128 bytes apart.
    const std::int64_t row_bytes = depth() * element_bytes;
    const std::int64_t pitch_bytes = row_bytes % 128 == 64 ? row_bytes : row_bytes + 64;
    const std::int64_t barriers = 16;
    return 2 * rows() * pitch_bytes + weight_bytes() + partial_bytes() + element_bytes * rows() * units() * gates +
           barriers;
  }
  const std::int64_t slices = (batch + rows() - 1) / rows();
  const std::int64_t outgoing = element_bytes * rows() * units() * gates;
  const std::int64_t barriers = shares == 1 ? 0 : 16;
  return weight_bytes() + 2 * partial_bytes() + outgoing + 2 * sums_bytes() + barriers + slices * rows() * units() * 4;
}

std::vector<Variant> variants_of(bool backward, std::int64_t element_bytes) {
  Variants variants(backward, element_bytes);
  const bool half = element_bytes == 2;
  if (half && !backward) {
    variants.add(LstmKernel::kCluster, kClusterForwardHalf);
    variants.add(LstmKernel::kGrid, kGridForwardHalf);
  } else if (half) {
    variants.add(LstmKernel::kCluster, kClusterBackwardHalf);
    variants.add(LstmKernel::kGrid, kGridBackwardHalf);
  } else if (!backward) {
    variants.add(LstmKernel::kCluster, kClusterForwardTf32);
    variants.add(LstmKernel::kGrid, kGridForwardTf32);
  } else {
    variants.add(LstmKernel::kCluster, kClusterBackwardTf32);
    variants.add(LstmKernel::kGrid, kGridBackwardTf32);
  }
  return variants.list;
}

}  // namespace lrcn_fast::plan
