#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "fit.h"
#include "lrcn_fast/lstm_plan.h"
#include "model.h"
#include "variants.h"

namespace lrcn_fast {
namespace {

using plan::Fit;
using plan::Model;
using plan::Variant;

template <typename... Values>
LstmPlan& because(LstmPlan& plan, const char* format, Values... values) {
  std::snprintf(plan.reason, sizeof plan.reason, format, values...);
  return plan;
}

// What no kernel that stays on chip does, whatever the sizes; null if nothing.
const char* unsupported(const GpuProperties& gpu, const LstmProblem& problem) {
  if (problem.persistence == Persistence::kNever) {
    return "the kernels that stay on chip are switched off (LRCN_FAST_PERSISTENT=0)";
  }
  if (gpu.capability < 80) return "a GPU older than capability 8.0 has no kernel that stays on chip";
  if (problem.dtype == DType::kFloat64) return "float64 is multiplied without tensor cores, one launch a step";
  if (problem.dtype == DType::kFloat32 && problem.products == Float32Products::kFloat32) {
    return "float32 products that are not TF32 do without tensor cores, one launch a step";
  }
  if (problem.projects) return "with a projection a step takes two launches";
  if (problem.batch == 0 || problem.hidden == 0) return "nothing to do";
  return problem.steps <= 1 ? "a single step keeps no weights for another" : nullptr;
}

// A variant that fits.
struct Candidate {
  double total_us;     // of all sequences
  double start_us;     // of that, before the first step
  double step_us;      // of each of them
  std::int32_t scans;  // of a launch
  Variant variant;
  Fit fit;
};

// Those of a problem, the fastest first, and what the others ended at: of each kernel the one that got furthest.
class Candidates {
 public:
  Candidates(const GpuProperties& gpu, const LstmProblem& problem, const Model& model)
      : gpu_(gpu), problem_(problem), model_(model) {
    for (const Variant& variant : plan::variants_of(problem.backward, size_of(problem.dtype))) {
      for (std::int32_t together = problem.scans; together >= 1; --together) consider(variant, together);
    }
    const auto faster = [](const Candidate& a, const Candidate& b) { return a.total_us < b.total_us; };
    std::stable_sort(list.begin(), list.end(), faster);
  }

  std::vector<Candidate> list;
  Fit nearest_cluster{}, nearest_grid{};

 private:
  void consider(const Variant& variant, std::int32_t together) {
    LstmProblem problem = problem_;
    problem.scans = together;
    const bool grid = variant.kernel == LstmKernel::kGrid;
    const Fit found = plan::fit(gpu_, problem, variant);
    if (found.stage != Fit::kFits) {
      Fit& nearest = grid ? nearest_grid : nearest_cluster;
      if (found.stage >= nearest.stage) nearest = found;
      return;
    }
    const double launches = (problem_.scans + together - 1) / together;
    const double rounds = static_cast<double>(found.rounds);
    const double step =
        rounds * (grid ? model_.grid_step(variant, found.resident) : model_.cluster_step(variant, found.resident));
    const double start = launches * model_.start(variant, found.resident, rounds, together);
    const double total = start + static_cast<double>(problem.steps) * launches * step;
    list.push_back({total, start, launches * step, together, variant, found});
  }

  const GpuProperties& gpu_;
  const LstmProblem& problem_;
  const Model& model_;
};

void describe(const Candidate& choice, const LstmProblem& problem, double step_us, LstmPlan& plan) {
  char where[96], scans[48] = "";
  if (plan.kernel == LstmKernel::kCluster) {
    std::snprintf(where, sizeof where, "%d blocks, clusters of %d that run in %lld round%s", plan.blocks, plan.cluster,
                  static_cast<long long>(choice.fit.rounds), choice.fit.rounds == 1 ? "" : "s");
  } else {
    char clusters[32] = "";
    if (plan.cluster > 1) std::snprintf(clusters, sizeof clusters, " in clusters of %d", plan.cluster);
    std::snprintf(where, sizeof where, "a grid of %d blocks%s, all at the same time", plan.blocks, clusters);
  }
  if (problem.scans > 1) std::snprintf(scans, sizeof scans, ", %d of %d scans in a launch", plan.scans, problem.scans);
  because(plan, "W_hh stays on chip in %s%s; modelled %.3g us a step, against %.3g with a launch for each", where,
          scans, plan.step_us, step_us);
}

}  // namespace

LstmPlan plan_lstm(const GpuProperties& gpu, const LstmProblem& problem) {
  const Model model(gpu, problem);
  LstmPlan plan{};
  plan.kernel = LstmKernel::kStep;
  plan.variant = -1;
  plan.scans = 1;
  plan.cluster = 1;
  plan.floor_us = model.floor();
  // Two models; where they cross, nothing is faster than what the hardware allows.
  const double step_us = std::max(model.step(), plan.floor_us);
  plan.step_us = step_us;
  if (const char* obstacle = unsupported(gpu, problem)) return because(plan, "%s", obstacle);

  const Candidates candidates(gpu, problem, model);
  if (candidates.list.empty()) {
    return because(plan, "H=%lld finds no place on chip. In a cluster: %s. In a grid: %s",
                   static_cast<long long>(problem.hidden), candidates.nearest_cluster.obstacle,
                   candidates.nearest_grid.obstacle);
  }
  const Candidate& best = candidates.list.front();
  const double steps_us = static_cast<double>(problem.steps) * step_us;
  const auto worth = [&](const Candidate& candidate) {
    return candidate.total_us <= steps_us || problem.persistence == Persistence::kAlways;
  };
  if (!worth(best)) {
    return because(plan, "one launch for each of %lld steps takes a modelled %.4g us, a %s that keeps W_hh %.4g us",
                   static_cast<long long>(problem.steps), steps_us,
                   best.variant.kernel == LstmKernel::kGrid ? "grid" : "cluster", best.total_us);
  }
  for (const Candidate& candidate : candidates.list) {
    if (!worth(candidate) || plan.choices == kMostLstmChoices) break;
    plan.choice[plan.choices++] = {candidate.variant.kernel, candidate.variant.position, candidate.scans};
  }
  plan.kernel = best.variant.kernel;
  plan.variant = best.variant.position;
  plan.scans = best.scans;
  plan.cluster = static_cast<std::int32_t>(best.variant.cluster());
  plan.blocks = static_cast<std::int32_t>(best.fit.blocks);
  plan.units = static_cast<std::int32_t>(best.variant.units());
  plan.rows = static_cast<std::int32_t>(best.variant.rows());
  plan.slices = best.fit.slices;
  plan.register_bytes = best.fit.resident * best.variant.register_bytes();
  plan.shared_bytes = best.fit.shared_bytes;
  plan.start_us = best.start_us;
  plan.step_us = std::max(best.step_us, plan.floor_us);
  describe(best, problem, step_us, plan);
  return plan;
}

}  // namespace lrcn_fast
