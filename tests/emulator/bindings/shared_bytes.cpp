#include <string>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "conv_frames.cuh"
#include "cross_entropy.cuh"
#include "lrcn_fast/lstm_variants.h"
#include "lstm_cluster_backward.cuh"
#include "lstm_cluster_forward.cuh"
#include "lstm_grid_backward.cuh"
#include "lstm_grid_forward.cuh"
#include "lstm_step.cuh"
#include "map_launch.cuh"
#include "tile.cuh"
#include "vocabulary_top_k.cuh"

// The dynamic shared memory of every kernel that asks for any: ptxas does not see it, launchers ask for it.

namespace lrcn_fast::emulator {
namespace {

using namespace cuda;

// A kernel as the compiler's reports spell it, the bytes of a block, and those that every slice of the batch after
// the first adds.
using Row = std::tuple<std::string, std::size_t, std::size_t>;

template <class... Arguments>
std::string spelled(const char* kernel, const std::string& products, Arguments... arguments) {
  std::string text = std::string(kernel) + "<" + products;
  ((text += ", " + std::string(arguments)), ...);
  return text + ">";
}

// Tiles of lstm_launch.cuh.
template <class P, int kRows, int kColumns, bool kVector>
void add_tile(std::vector<Row>& rows, const char* kernel, const std::string& products, bool names_columns = true) {
  std::string numbers = std::to_string(kRows);
  if (names_columns) numbers += ", " + std::to_string(kColumns);
  rows.emplace_back(spelled(kernel, products, numbers, kVector ? "true" : "false"),
                    Tile<P, kRows, kColumns, kVector>::kSharedBytes, 0);
}

template <class P, int kRows>
void add_large_tiles(std::vector<Row>& rows, const std::string& products) {
  if constexpr (P::kMostRows >= kRows) {
    add_tile<P, kRows, 4, true>(rows, "lstm_forward_step", products, false);
    add_tile<P, kRows, 2, true>(rows, "lstm_backward_step", products);
  }
}

template <class P>
void add_steps(std::vector<Row>& rows, const std::string& products) {
  add_tile<P, 1, 4, false>(rows, "lstm_forward_step", products, false);
  add_tile<P, 1, 4, true>(rows, "lstm_forward_step", products, false);
  add_tile<P, 1, 1, false>(rows, "lstm_forward_project", products);
  add_tile<P, 1, 2, true>(rows, "lstm_forward_project", products);
  add_tile<P, 1, 1, false>(rows, "lstm_backward_step", products);
  add_tile<P, 1, 1, true>(rows, "lstm_backward_step", products);
  add_large_tiles<P, 2>(rows, products);
  add_large_tiles<P, 4>(rows, products);
}

template <class Shape>
Row cluster_row(const std::string& name) {
  return {name, Shape::kSharedBytes, 0};
}
template <class Shape>
Row grid_row(const std::string& name) {
  return {name, Shape::shared_bytes(1), Shape::shared_bytes(Shape::kRows + 1) - Shape::shared_bytes(1)};
}

#define LRCN_CLUSTER_FORWARD(...) \
  rows.push_back(                 \
      cluster_row<ClusterForwardShape<P, __VA_ARGS__>>(spelled("lstm_cluster_forward", products, #__VA_ARGS__)));
#define LRCN_CLUSTER_BACKWARD(...) \
  rows.push_back(                  \
      cluster_row<ClusterBackwardShape<P, __VA_ARGS__>>(spelled("lstm_cluster_backward", products, #__VA_ARGS__)));
#define LRCN_GRID_FORWARD(...) \
  rows.push_back(grid_row<GridForwardShape<P, __VA_ARGS__>>(spelled("lstm_grid_forward", products, #__VA_ARGS__)));
#define LRCN_GRID_BACKWARD(...) \
  rows.push_back(grid_row<GridBackwardShape<P, __VA_ARGS__>>(spelled("lstm_grid_backward", products, #__VA_ARGS__)));

template <class P>
void add_half(std::vector<Row>& rows, const std::string& products) {
  add_steps<P>(rows, products);
  LRCN_CLUSTER_FORWARD_HALF(LRCN_CLUSTER_FORWARD)
  LRCN_CLUSTER_BACKWARD_HALF(LRCN_CLUSTER_BACKWARD)
  LRCN_GRID_FORWARD_HALF(LRCN_GRID_FORWARD)
  LRCN_GRID_BACKWARD_HALF(LRCN_GRID_BACKWARD)
}

template <class P>
void add_tf32(std::vector<Row>& rows, const std::string& products) {
  add_steps<P>(rows, products);
  LRCN_CLUSTER_FORWARD_TF32(LRCN_CLUSTER_FORWARD)
  LRCN_CLUSTER_BACKWARD_TF32(LRCN_CLUSTER_BACKWARD)
  LRCN_GRID_FORWARD_TF32(LRCN_GRID_FORWARD)
  LRCN_GRID_BACKWARD_TF32(LRCN_GRID_BACKWARD)
}

#undef LRCN_CLUSTER_FORWARD
#undef LRCN_CLUSTER_BACKWARD
#undef LRCN_GRID_FORWARD
#undef LRCN_GRID_BACKWARD

// Tiles of lstm_step.cuh and vocabulary_top_k.cuh.
template <class P, int kRows, bool kVector>
void add_search_tile(std::vector<Row>& rows, const std::string& products) {
  add_tile<P, kRows, 4, kVector>(rows, "lstm_search_step", products, false);
  add_tile<P, kRows, kTopWords / 8, kVector>(rows, "block_top_k", products, false);
}

template <class P>
void add_search(std::vector<Row>& rows, const std::string& products) {
  add_search_tile<P, 1, false>(rows, products);
  add_search_tile<P, 1, true>(rows, products);
  if constexpr (P::kMostRows >= 2) add_search_tile<P, 2, true>(rows, products);
}

// For the paper's images.
template <class T>
void add_conv_frames(std::vector<Row>& rows, const std::string& type) {
  constexpr std::int64_t kWidth = 227;
  rows.emplace_back("conv_frames_kernel<" + type + ", 11, 4>", ConvFramesShape<T, 11, 4>(kWidth).shared_bytes(), 0);
  rows.emplace_back("conv_frames_kernel<" + type + ", 7, 2>", ConvFramesShape<T, 7, 2>(kWidth).shared_bytes(), 0);
}

// Their tiles follow from the maps, up to a bound.
template <class T>
void add_maps(std::vector<Row>& rows, const char* type) {
  for (const char* kernel : {"relu_max_pool_lrn_forward_kernel", "relu_max_pool_lrn_backward_kernel"}) {
    for (const std::size_t vector : {std::size_t{1}, 16 / sizeof(T)}) {
      rows.emplace_back(spelled(kernel, type, std::to_string(vector)), kMostMapBytes, 0);
    }
  }
}

std::vector<Row> shared_bytes() {
  std::vector<Row> rows;
  add_conv_frames<half_t>(rows, "__half");
  add_conv_frames<bfloat16_t>(rows, "__nv_bfloat16");
  add_half<HalfProducts<half_t>>(rows, "HalfProducts<__half>");
  add_half<HalfProducts<bfloat16_t>>(rows, "HalfProducts<__nv_bfloat16>");
  add_tf32<Tf32Products<1>>(rows, "Tf32Products<1>");
  add_tf32<Tf32Products<3>>(rows, "Tf32Products<3>");
  add_steps<ScalarProducts<float>>(rows, "ScalarProducts<float>");
  add_steps<ScalarProducts<double>>(rows, "ScalarProducts<double>");
  add_search<HalfProducts<half_t>>(rows, "HalfProducts<__half>");
  add_search<HalfProducts<bfloat16_t>>(rows, "HalfProducts<__nv_bfloat16>");
  add_search<ScalarProducts<float>>(rows, "ScalarProducts<float>");
  add_search<ScalarProducts<double>>(rows, "ScalarProducts<double>");
  for (const char* type : {"__half", "__nv_bfloat16", "float"}) {
    rows.emplace_back(spelled("cross_entropy_kernel", type), cross_entropy_shared_bytes<float>(kMostThreads), 0);
  }
  rows.emplace_back("cross_entropy_kernel<double>", cross_entropy_shared_bytes<double>(kMostThreads), 0);
  add_maps<half_t>(rows, "__half");
  add_maps<bfloat16_t>(rows, "__nv_bfloat16");
  add_maps<float>(rows, "float");
  add_maps<double>(rows, "double");
  return rows;
}

const Registration registration([](py::module_& m) { m.def("shared_bytes", shared_bytes); });

}  // namespace
}  // namespace lrcn_fast::emulator
