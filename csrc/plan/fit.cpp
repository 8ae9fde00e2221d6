#include "fit.h"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace lrcn_fast::plan {
namespace {

constexpr std::int64_t kSystemBytes = 1024;  // of shared memory that each block takes besides its own
// Of a thread: with more, those that a step needs besides do not go into the 128 that two blocks leave each other.
constexpr std::int64_t kWeightRegistersOfTwo = 40;

long long number(std::int64_t value) { return value; }

template <typename... Numbers>
Fit& refuse(Fit& fit, Fit::Stage stage, const char* format, Numbers... numbers) {
  fit.stage = stage;
  std::snprintf(fit.obstacle, sizeof fit.obstacle, format, numbers...);
  return fit;
}

// Blocks that a multiprocessor can hold at the same time.
int room(const GpuProperties& gpu, const Variant& variant, std::int64_t shared_bytes) {
  const int registers = variant.weight_registers() <= kWeightRegistersOfTwo ? 128 : 256;
  const std::int64_t by_registers = gpu.registers_per_multiprocessor / (kThreads * registers);
  const std::int64_t by_memory = gpu.shared_bytes_per_multiprocessor / (shared_bytes + kSystemBytes);
  return static_cast<int>(std::min(by_registers, by_memory));
}

Fit& fit_cluster(const GpuProperties& gpu, const LstmProblem& problem, const Variant& variant, int room, Fit& fit) {
  const std::int64_t cluster = variant.cluster(), clusters = clusters_of(gpu, cluster);
  if (clusters == 0) return refuse(fit, Fit::kTogether, "the GPU runs no cluster of %lld blocks", number(cluster));
  const std::int64_t wanted = problem.scans * fit.slices;
  fit.resident = wanted > clusters ? std::min(room, 2) : 1;
  fit.rounds = (wanted + clusters * fit.resident - 1) / (clusters * fit.resident);
  fit.blocks = wanted * cluster;
  return fit;
}

Fit& fit_grid(const GpuProperties& gpu, const LstmProblem& problem, const Variant& variant, int room, Fit& fit) {
  const std::int64_t cluster = variant.cluster(), units = cluster * variant.units();
  fit.blocks = problem.scans * ((problem.hidden + units - 1) / units) * cluster;
  const std::int64_t at_once =
      cluster == 1 ? static_cast<std::int64_t>(gpu.multiprocessors) * room : clusters_of(gpu, cluster) * cluster;
  if (fit.blocks > at_once) {
    return refuse(fit, Fit::kTogether, "%lld blocks, of which %lld run at the same time", number(fit.blocks),
                  number(at_once));
  }
  fit.resident = fit.blocks > gpu.multiprocessors ? 2 : 1;
  fit.rounds = 1;
  return fit;
}

}  // namespace

std::int64_t clusters_of(const GpuProperties& gpu, std::int64_t blocks) {
  switch (blocks) {
    case 2:
      return gpu.clusters_of_2;
    case 4:
      return gpu.clusters_of_4;
    case 8:
      return gpu.clusters_of_8;
    case 16:
      return gpu.clusters_of_16;
    default:
      return 0;
  }
}

Fit fit(const GpuProperties& gpu, const LstmProblem& problem, const Variant& variant) {
  Fit fit{};
  fit.stage = Fit::kFits;
  fit.slices = (problem.batch + variant.rows() - 1) / variant.rows();
  const bool grid = variant.kernel == LstmKernel::kGrid;
  if (variant.cluster() > 1 && gpu.capability < 90) return refuse(fit, Fit::kNoClusters, "none before capability 9.0");
  if (problem.hidden > variant.capacity()) {
    return refuse(fit, Fit::kTooLarge, "room for H=%lld", number(variant.capacity()));
  }
  fit.shared_bytes = variant.shared_bytes(problem.batch);
  if (fit.shared_bytes > gpu.shared_bytes_per_block) {
    return refuse(fit, Fit::kSharedMemory, "%lld bytes of shared memory a block, of %lld", number(fit.shared_bytes),
                  number(gpu.shared_bytes_per_block));
  }
  if (fit.slices > std::numeric_limits<std::int32_t>::max() / 16 / kMostScans) {
    return refuse(fit, Fit::kSharedMemory, "%lld slices of the batch", number(fit.slices));
  }
  const int blocks = room(gpu, variant, fit.shared_bytes);
  if (blocks == 0) {
    return refuse(fit, Fit::kSharedMemory, "%lld bytes of shared memory a block, of %lld of a multiprocessor",
                  number(fit.shared_bytes), number(gpu.shared_bytes_per_multiprocessor));
  }
  return grid ? fit_grid(gpu, problem, variant, blocks, fit) : fit_cluster(gpu, problem, variant, blocks, fit);
}

}  // namespace lrcn_fast::plan
