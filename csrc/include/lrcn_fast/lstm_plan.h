#pragma once

#include <cstdint>

#include "lrcn_fast/lstm.h"

// Which kernel runs a sequence on which GPU: a decision on numbers alone, made on the host without CUDA, so that it can
// be asked about any GPU anywhere.

namespace lrcn_fast {

enum class LstmKernel : std::int32_t {
  kStep,     // one launch a step, weights re-read from L2: runs everything
  kCluster,  // one launch, weights on chip, states through the shared memory of a thread block cluster
  kGrid,     // one launch, weights on chip, states through global memory, all blocks at the same time
};

// Whether the kernels that stay for a whole sequence may run.
enum class Persistence : std::int32_t {
  kAuto,    // where the model finds them faster
  kNever,   // one launch a step
  kAlways,  // wherever they fit
};

// What the plan has to know about a GPU. Bytes and counts as cudaDeviceProp has them.
struct GpuProperties {
  std::int32_t capability;                       // 90 for 9.0
  std::int32_t multiprocessors;                  // of the GPU, or of the part of it that is the device (MIG)
  std::int32_t shared_bytes_per_block;           // at most, opted in
  std::int32_t shared_bytes_per_multiprocessor;  // of which each block takes 1 KiB for the system
  std::int32_t registers_per_multiprocessor;
  // Of blocks with all their shared memory that run at the same time; 0 without clusters.
  std::int32_t clusters_of_2, clusters_of_4, clusters_of_8, clusters_of_16;
  std::int32_t clock_mhz;  // for the model alone
};

struct LstmProblem {
  bool backward;
  DType dtype;
  Float32Products products;  // of kFloat32
  std::int64_t steps, batch, hidden;
  bool projects;
  std::int32_t scans;  // of these sizes, independent of each other: 1..kMostScans
  Persistence persistence;
};

// A kernel for a launch of some scans.
struct LstmChoice {
  LstmKernel kernel;
  std::int32_t variant, scans;
};
constexpr int kMostLstmChoices = 64;

struct LstmPlan {
  LstmKernel kernel;
  std::int32_t variant;         // position in its list of lstm_variants.h; -1 for kStep
  std::int32_t scans;           // that a launch takes; the others take further launches
  std::int32_t cluster;         // blocks of a cluster, 1 without
  std::int32_t blocks;          // of the launch
  std::int32_t units;           // hidden units a block owns
  std::int32_t rows;            // of the batch in a slice
  std::int64_t slices;          // of one scan
  std::int64_t register_bytes;  // of weights, of the busiest multiprocessor
  std::int64_t shared_bytes;    // of one block
  double start_us;              // modelled time of all launches besides their steps
  double step_us;               // and of a step of all scans, recurrence only
  double floor_us;              // what the hardware allows by the same model, whatever the kernel
  char reason[256];             // why this kernel, or why none that stays on chip
  // Those that stay on chip, the plan's own first: where the device has no room for one after all, the next may fit.
  std::int32_t choices;
  LstmChoice choice[kMostLstmChoices];
};

LstmPlan plan_lstm(const GpuProperties& gpu, const LstmProblem& problem);

// Layers that read each other's output, one direction each. They run one by one, or as a wavefront: a window of one
// layer in the same launch as the window before of the next.
struct LstmWavefront {
  std::int64_t window;       // steps; 0 for layers one by one
  double one_by_one_us, us;  // modelled times, without the first layer's input product: of that way, and of the chosen
  char reason[384];
};

// The problem is a layer's forward, its scans do not count; trains: the backward follows.
LstmWavefront plan_wavefront(const GpuProperties& gpu, const LstmProblem& problem, std::int32_t layers, bool trains);

}  // namespace lrcn_fast
