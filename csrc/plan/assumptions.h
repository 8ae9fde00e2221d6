#pragma once

// What the model of a step believes of a GPU. None of it was measured: whoever has a GPU corrects it here.

namespace lrcn_fast::plan {

constexpr double kClusterExchangeUs = 0.20;  // of states inside a cluster
constexpr double kGridExchangeUs = 0.60;     // of states that carry their own flag, through L2
constexpr double kPointwiseUs = 0.15;
constexpr double kLaunchUs = 1.8;  // a launch after another, without its reads of weights and its products

// What a window of a layer takes besides its scan: on the GPU its products and copies, on the CPU the calls for it.
constexpr double kWindowUs = 10;
constexpr double kWindowCallsUs = 60;
// A wavefront has to take less than this part of the time of layers one by one: the model is no more exact.
constexpr double kWavefrontShare = 0.9;
constexpr int kShortestWindow = 8;  // steps

// Bytes a clock and multiprocessor.
constexpr double kSharedRate = 128;
constexpr double kIngestRate = 64;      // what other blocks wrote, from their shared memory or from L2
constexpr double kWeightRate = 24;      // out of L2, when all multiprocessors read different weights
constexpr double kLoadWeightsRate = 8;  // once at the start, element by element into registers

// Of the arithmetic units' peak that small products reach.
constexpr double kPeakShare = 0.6;

// Of the register file that can hold weights where nothing but the hardware counts.
constexpr double kRegisterShare = 0.5;

// Operations (a multiplication and an addition are two) a clock and multiprocessor at peak.
constexpr double half_peak(int capability) {
  if (capability >= 120) return 1024;
  if (capability >= 100) return 8192;
  if (capability >= 90) return 4096;
  return capability == 80 || capability == 87 ? 2048 : 1024;
}
constexpr double tf32_peak(int capability) { return half_peak(capability) / 2; }
constexpr double float32_peak(int capability) { return capability == 80 ? 128 : 256; }
constexpr double float64_peak(int capability) {
  if (capability == 80) return 64;
  return capability == 90 || capability == 100 ? 128 : 4;
}

}  // namespace lrcn_fast::plan
