#include <algorithm>
#include <cstdio>

#include "assumptions.h"
#include "lrcn_fast/lstm_plan.h"

namespace lrcn_fast {
namespace {

long long number(std::int64_t value) { return value; }

class Passes {
 public:
  Passes(const GpuProperties& gpu, const LstmProblem& problem, std::int32_t layers, bool trains)
      : gpu_(gpu), problem_(problem), layers_(layers), trains_(trains) {}

  // All layers, cut into `windows` of time: 1 is one by one.
  double time(std::int64_t windows) const { return pass(windows, false) + (trains_ ? pass(windows, true) : 0); }
  std::int64_t steps(std::int64_t windows) const { return (problem_.steps + windows - 1) / windows; }
  LstmPlan plan(std::int64_t windows, std::int32_t scans, bool backward) const {
    LstmProblem part = problem_;
    part.backward = backward;
    part.steps = steps(windows);
    part.scans = scans;
    return plan_lstm(gpu_, part);
  }

 private:
  // Of so many layers in a window each.
  double turn(std::int64_t windows, std::int32_t scans, bool backward) const {
    if (scans > kMostScans) return turn(windows, kMostScans, backward) + turn(windows, scans - kMostScans, backward);
    const LstmPlan planned = plan(windows, scans, backward);
    return planned.start_us + static_cast<double>(steps(windows)) * planned.step_us;
  }

  // The GPU and the CPU that calls it work at the same time.
  double pass(std::int64_t windows, bool backward) const {
    const double scans = static_cast<double>(windows * layers_);
    // Turn by turn another layer joins, until the first has ended and one after the other leaves.
    const auto most = static_cast<std::int32_t>(std::min<std::int64_t>(windows, layers_));
    double on_gpu = static_cast<double>(windows + layers_ + 1 - 2 * most) * turn(windows, most, backward);
    for (std::int32_t some = 1; some < most; ++some) on_gpu += 2 * turn(windows, some, backward);
    on_gpu += scans * (plan::kWindowUs + (backward && windows > 1 ? sums() : 0));
    return std::max(on_gpu, scans * plan::kWindowCallsUs);
  }

  // Of a window's gradients at both weights of its layer with those of the windows after.
  double sums() const {
    const auto hidden = static_cast<double>(problem_.hidden);
    const double bytes = 3 * 8 * hidden * hidden * static_cast<double>(size_of(problem_.dtype));
    return bytes / gpu_.multiprocessors / plan::kWeightRate / gpu_.clock_mhz;
  }

  const GpuProperties& gpu_;
  const LstmProblem& problem_;
  std::int32_t layers_;
  bool trains_;
};

}  // namespace

LstmWavefront plan_wavefront(const GpuProperties& gpu, const LstmProblem& problem, std::int32_t layers, bool trains) {
  const Passes passes(gpu, problem, layers, trains);
  LstmWavefront found{};
  found.us = found.one_by_one_us = passes.time(1);
  if (layers < 2 || problem.steps < 2 * plan::kShortestWindow) {
    std::snprintf(found.reason, sizeof found.reason, "%d layers of %lld steps have no two windows of %d steps", layers,
                  number(problem.steps), plan::kShortestWindow);
    return found;
  }
  const LstmPlan two = passes.plan(2, 2, false);
  if (two.scans < 2) {
    std::snprintf(found.reason, sizeof found.reason, "no two layers run at the same time: %s", two.reason);
    return found;
  }
  std::int64_t best = 2;
  double us = passes.time(best);
  for (std::int64_t windows = 4; passes.steps(windows) >= plan::kShortestWindow; windows *= 2) {
    const double other = passes.time(windows);
    if (other < us) best = windows;
    us = std::min(us, other);
  }
  const bool faster = us < plan::kWavefrontShare * found.one_by_one_us;
  std::snprintf(found.reason, sizeof found.reason,
                "%lld windows of %lld steps take a modelled %.4g us, %d layers one by one %.4g us%s", number(best),
                number(passes.steps(best)), us, layers, found.one_by_one_us, faster ? "" : ": too little is gained");
  if (!faster) return found;
  found.window = passes.steps(best);
  found.us = us;
  return found;
}

}  // namespace lrcn_fast
