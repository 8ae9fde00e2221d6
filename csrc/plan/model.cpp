#include "model.h"

#include <algorithm>
#include <cmath>

#include "assumptions.h"
#include "fit.h"

namespace lrcn_fast::plan {
namespace {

constexpr double kEight = 8;      // rows of the batch that products take at a time
constexpr double kStepRows = 64;  // at most, of a tile of the kernels that run a step

double in_eights(double rows) { return kEight * std::ceil(rows / kEight); }

double peak(const GpuProperties& gpu, const LstmProblem& problem) {
  const int capability = gpu.capability;
  if (problem.dtype == DType::kFloat64) return float64_peak(capability);
  if (problem.dtype != DType::kFloat32) return half_peak(capability);
  switch (problem.products) {
    case Float32Products::kTf32:
      return tf32_peak(capability);
    case Float32Products::kTf32x3:
      return tf32_peak(capability) / 3;
    case Float32Products::kFloat32:
      break;
  }
  return float32_peak(capability);
}

}  // namespace

Model::Model(const GpuProperties& gpu, const LstmProblem& problem)
    : gpu_(gpu),
      backward_(problem.backward),
      scans_(problem.scans),
      element_bytes_(static_cast<double>(size_of(problem.dtype))),
      sum_bytes_(problem.dtype == DType::kFloat64 ? 8 : 4),
      batch_(static_cast<double>(std::max<std::int64_t>(problem.batch, 1))),
      hidden_(static_cast<double>(std::max<std::int64_t>(problem.hidden, 1))),
      travels_(problem.backward ? 4 : 1),
      clocks_per_us_(gpu.clock_mhz),
      operations_per_clock_(peak(gpu, problem) * kPeakShare) {}

double Model::products(double weight_rows, double depth, double rows) const {
  return 2 * weight_rows * depth * rows / operations_per_clock_ / clocks_per_us_;
}

// Reading what the registers of so many multiprocessors do not hold of W_hh: from shared memory, else from L2.
double Model::weights_outside(double blocks) const {
  const double bytes = 4 * hidden_ * hidden_ * element_bytes_ / blocks;
  const double beyond = std::max(0.0, bytes - kRegisterShare * 4 * gpu_.registers_per_multiprocessor);
  const double shared = std::min(beyond, static_cast<double>(gpu_.shared_bytes_per_block));
  return transfer(shared, kSharedRate) + transfer(beyond - shared, kWeightRate);
}

// Slices of the batch are divided among clusters. A slice has arrived before it is multiplied.
double Model::cluster_floor(int blocks, int depth_splits) const {
  const double clusters = blocks == 1 ? gpu_.multiprocessors : static_cast<double>(clusters_of(gpu_, blocks));
  const double rows = in_eights(std::ceil(batch_ / clusters));
  const double values = travels_ * hidden_ * rows / depth_splits;
  const double sums = (depth_splits - 1) * (backward_ ? 1 : 4) * hidden_ / blocks * rows;
  const double exchange = (blocks > 1 ? kClusterExchangeUs : 0) + (depth_splits > 1 ? kClusterExchangeUs : 0);
  return exchange + kPointwiseUs +
         std::max(products(4 * hidden_ / blocks, hidden_, rows),
                  weights_outside(blocks) + transfer(values * element_bytes_, kSharedRate)) +
         (blocks > 1 ? transfer(values * element_bytes_ + sums * sum_bytes_, kIngestRate) : 0);
}

// All multiprocessors share out the units; eight rows are multiplied while the next arrive.
double Model::grid_floor(int depth_splits) const {
  const double blocks = gpu_.multiprocessors;
  const double rows = in_eights(batch_);
  const double row_bytes = travels_ * hidden_ / depth_splits * element_bytes_;
  const double sums = (depth_splits - 1) * (backward_ ? 1 : 4) * hidden_ / blocks * rows;
  const double combine = depth_splits == 1 ? 0 : gpu_.capability >= 90 ? kClusterExchangeUs : kGridExchangeUs;
  const double multiplied = products(4 * hidden_ / blocks, hidden_, rows);
  const double pipeline = std::max({transfer((rows - kEight) * row_bytes, kIngestRate) + multiplied * kEight / rows,
                                    multiplied, weights_outside(blocks) + transfer(rows * row_bytes, kSharedRate)});
  return kGridExchangeUs + kPointwiseUs + combine + transfer(kEight * row_bytes, kIngestRate) + pipeline +
         transfer(sums * sum_bytes_, kIngestRate);
}

double Model::floor() const {
  const double in_turn = scans_ * floor_of_a_scan();
  if (scans_ == 1) return in_turn;
  Model part = *this;  // of the GPU, one for each scan
  part.gpu_.multiprocessors = std::max(1, gpu_.multiprocessors / scans_);
  for (std::int32_t* clusters :
       {&part.gpu_.clusters_of_2, &part.gpu_.clusters_of_4, &part.gpu_.clusters_of_8, &part.gpu_.clusters_of_16}) {
    *clusters /= scans_;
  }
  return std::min(in_turn, part.floor_of_a_scan());
}

double Model::floor_of_a_scan() const {
  double least = grid_floor(1);
  for (int splits = 2; splits <= 8; splits *= 2) least = std::min(least, grid_floor(splits));
  const double on_chip = kRegisterShare * 4 * gpu_.registers_per_multiprocessor + gpu_.shared_bytes_per_block;
  for (int blocks = 1; blocks <= 16; blocks *= 2) {
    if (4 * hidden_ * hidden_ * element_bytes_ > blocks * on_chip) continue;
    if (blocks > 1 && (gpu_.capability < 90 || clusters_of(gpu_, blocks) == 0)) break;
    for (int splits = 1; splits <= std::min(blocks, 4); splits *= 2) {
      least = std::min(least, cluster_floor(blocks, splits));
    }
  }
  return least;
}

double Model::step() const {
  const double weights = transfer(4 * hidden_ * hidden_ * element_bytes_ / gpu_.multiprocessors, kWeightRate);
  // Each tile of units and rows reads the states of its rows.
  const double rows = std::min(in_eights(batch_), kStepRows);
  const double tiles = std::ceil(hidden_ / (backward_ ? 16 : 8)) * std::ceil(batch_ / kStepRows);
  const double tiles_of_one = std::ceil(tiles / gpu_.multiprocessors);
  const double states = transfer(tiles_of_one * rows * travels_ * hidden_ * element_bytes_, kIngestRate);
  const double multiplied = products(4 * hidden_ / gpu_.multiprocessors, hidden_, in_eights(batch_));
  return scans_ * (kLaunchUs + weights + std::max(multiplied, states));
}

double Model::cluster_step(const Variant& variant, int resident) const {
  const double rows = static_cast<double>(variant.rows()), depth = static_cast<double>(variant.depth());
  const double state_bytes = rows * depth * element_bytes_;
  const double read = static_cast<double>(variant.weight_bytes()) + state_bytes * variant.groups;
  const double work =
      std::max(products(static_cast<double>(variant.weight_rows()), depth, rows), transfer(read, kSharedRate)) +
      transfer(2 * static_cast<double>(variant.partial_bytes()), kSharedRate) + transfer(state_bytes, kIngestRate);
  return kClusterExchangeUs + kPointwiseUs + resident * work;
}

double Model::grid_step(const Variant& variant, int resident) const {
  const double rows = static_cast<double>(variant.rows()), depth = static_cast<double>(variant.depth());
  const double slices = std::ceil(batch_ / rows);
  // Of all rows of a slice, one chunk after another; only what exists is asked for.
  const double row_bytes = travels_ * in_eights(hidden_) / variant.shares * element_bytes_;
  const double arrives = transfer(std::min(rows, in_eights(batch_)) * row_bytes, kIngestRate);
  const double multiplied = std::max(products(static_cast<double>(variant.weight_rows()), depth, rows),
                                     transfer(static_cast<double>(variant.weight_bytes()), kSharedRate));
  const double work = std::max(arrives, multiplied) + std::min(arrives, multiplied) / variant.chunks +
                      transfer(2 * static_cast<double>(variant.partial_bytes()), kSharedRate);
  const double combine = transfer(static_cast<double>(variant.sums_bytes()), kIngestRate);
  const double slice = resident * work + kPointwiseUs + (variant.shares == 1 ? 0 : kClusterExchangeUs + combine);
  return std::max(kGridExchangeUs + slice, slices * slice);
}

double Model::start(const Variant& variant, int resident, double rounds, double scans) const {
  // What each scan of a grid exchanges is filled by a launch of its own.
  const double launches = variant.kernel == LstmKernel::kGrid ? 1 + scans : 1;
  const double weights = static_cast<double>(variant.register_bytes() + variant.weight_bytes());
  return launches * kLaunchUs + rounds * transfer(resident * weights, kLoadWeightsRate);
}

}  // namespace lrcn_fast::plan
