#include <algorithm>
#include <cstdio>
#include <cstring>

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
  if (!problem.aligned) return "rows that begin at no multiple of 16 bytes are taken one launch a step";
  if (problem.batch == 0 || problem.hidden == 0) return "nothing to do";
  return problem.steps <= 1 ? "a single step keeps no weights for another" : nullptr;
}

// The best of a kernel's variants, and what the others ended at.
struct Choice {
  double total_us = 0;  // of all sequences; 0: none fits
  double start_us = 0;  // of that, before the first step
  double step_us = 0;
  std::int32_t scans = 0;  // of a launch
  Variant variant{};
  Fit fit{};
  Fit nearest{};  // of those that do not fit, the one that got furthest

  // together: scans of a launch.
  void consider(const GpuProperties& gpu, LstmProblem problem, std::int32_t together, const Model& model,
                const Variant& candidate) {
    const double launches = (problem.scans + together - 1) / together;
    problem.scans = together;
    const Fit found = plan::fit(gpu, problem, candidate);
    if (found.stage != Fit::kFits) {
      if (found.stage >= nearest.stage) nearest = found;
      return;
    }
    const bool grid = candidate.kernel == LstmKernel::kGrid;
    const double rounds = static_cast<double>(found.rounds);
    const double step =
        rounds * (grid ? model.grid_step(candidate, found.resident) : model.cluster_step(candidate, found.resident));
    const double start = launches * model.start(candidate, found.resident, rounds, together);
    const double total = start + static_cast<double>(problem.steps) * launches * step;
    if (total_us != 0 && total >= total_us) return;
    total_us = total;
    start_us = start;
    step_us = launches * step;
    scans = together;
    variant = candidate;
    fit = found;
  }
};

void describe(const Choice& choice, const LstmProblem& problem, double step_us, LstmPlan& plan) {
  char where[96], scans[48] = "";
  if (plan.kernel == LstmKernel::kCluster) {
    std::snprintf(where, sizeof where, "%d blocks, clusters of %d that run in %lld round%s", plan.blocks, plan.cluster,
                  static_cast<long long>(choice.fit.rounds), choice.fit.rounds == 1 ? "" : "s");
  } else {
    std::snprintf(where, sizeof where, "a grid of %d blocks, all at the same time", plan.blocks);
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

  Choice clusters, grids;
  for (const Variant& variant : plan::variants_of(problem.backward, size_of(problem.dtype))) {
    Choice& choice = variant.kernel == LstmKernel::kCluster ? clusters : grids;
    for (std::int32_t together = problem.scans; together >= 1; --together) {
      choice.consider(gpu, problem, together, model, variant);
    }
  }
  if (clusters.total_us == 0 && grids.total_us == 0) {
    return because(plan, "H=%lld finds no place on chip. In a cluster: %s. In a grid: %s",
                   static_cast<long long>(problem.hidden), clusters.nearest.obstacle, grids.nearest.obstacle);
  }
  const bool grid = clusters.total_us == 0 || (grids.total_us != 0 && grids.total_us < clusters.total_us);
  const Choice& best = grid ? grids : clusters;
  const double steps_us = static_cast<double>(problem.steps) * step_us;
  if (steps_us < best.total_us && problem.persistence != Persistence::kAlways) {
    return because(plan, "one launch for each of %lld steps takes a modelled %.4g us, a %s that keeps W_hh %.4g us",
                   static_cast<long long>(problem.steps), steps_us, grid ? "grid" : "cluster", best.total_us);
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
