#pragma once

#include <cstdint>

#include "lrcn_fast/lstm_plan.h"
#include "variants.h"

// Modelled times in microseconds, from the assumptions of assumptions.h. They rank kernels; they promise nothing.

namespace lrcn_fast::plan {

class Model {
 public:
  Model(const GpuProperties& gpu, const LstmProblem& problem);

  // The least that the hardware allows for a step of all scans: over all ways to divide units, batch and depth among
  // multiprocessors, whether a kernel for it exists or not.
  double floor() const;
  // One launch a step, of all scans one after the other.
  double step() const;
  // A step of a slice in each of the clusters that run at the same time, `resident` blocks on a multiprocessor.
  double cluster_step(const Variant& variant, int resident) const;
  // A step of all slices.
  double grid_step(const Variant& variant, int resident) const;
  // What a launch of so many scans takes besides its steps, with the weights that the blocks of each round fetch.
  double start(const Variant& variant, int resident, double rounds, double scans) const;

 private:
  double transfer(double bytes, double rate) const { return bytes / rate / clocks_per_us_; }
  double products(double weight_rows, double depth, double rows) const;
  double floor_of_a_scan() const;
  double cluster_floor(int blocks, int depth_splits) const;
  double grid_floor(int depth_splits) const;
  double weights_outside(double blocks) const;

  GpuProperties gpu_;
  bool backward_;
  std::int32_t scans_;
  double element_bytes_, sum_bytes_, batch_, hidden_;
  double travels_;  // values of a unit that travel: its state, or its four gate gradients
  double clocks_per_us_, operations_per_clock_;
};

}  // namespace lrcn_fast::plan
