#include "team.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace lrcn_fast::cpu {
namespace {

// A private cache holds about this much beside the operands: smaller weights are read whole by every thread.
constexpr int64_t kPrivateCacheBytes = 384 * 1024;
// Multiply-adds below which meeting at a barrier costs more than a second thread saves.
constexpr int64_t kWorkWorthAThread = 64 * 1024;
constexpr int kSpinsBeforeYield = 4096;

struct alignas(64) Counter {
  std::atomic<int64_t> value{0};
};

void relax(int spins) {
  if (spins >= kSpinsBeforeYield) {
    std::this_thread::yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct Team {
  Cut cut;
  int64_t phases;
  Part part;
  void* job;
  std::vector<Counter> next;  // per group and member: the phase it has not begun
  std::vector<Counter> done;  // per group: finished parts of all phases

  Team(const Cut& cut, int64_t phases, Part part, void* job)
      : cut(cut), phases(phases), part(part), job(job), next(cut.groups * cut.members), done(cut.groups) {}

  void take_if_not_begun(int64_t group, int64_t member, int64_t phase) {
    std::atomic<int64_t>& begun = next[group * cut.members + member].value;
    int64_t expected = phase;
    if (begun.load(std::memory_order_relaxed) != phase) return;
    if (!begun.compare_exchange_strong(expected, phase + 1, std::memory_order_relaxed)) return;
    part(job, group, member, phase);
    done[group].value.fetch_add(1, std::memory_order_release);
  }

  void work(int64_t worker) {
    const int64_t group = worker / cut.members;
    const int64_t self = worker % cut.members;
    for (int64_t phase = 0; phase < phases; ++phase) {
      for (int64_t k = 0; k < cut.members; ++k) take_if_not_begun(group, (self + k) % cut.members, phase);
      const int64_t target = (phase + 1) * cut.members;
      int spins = 0;
      while (done[group].value.load(std::memory_order_acquire) < target) {
        relax(spins);
        spins = std::min(spins + 1, kSpinsBeforeYield);
      }
    }
  }
};

}  // namespace

Cut cut_for(int64_t threads, int64_t batch, int64_t panels, int64_t weight_bytes) {
  const int64_t work = batch * weight_bytes / 4;
  threads = std::max<int64_t>(1, std::min(threads, work / kWorkWorthAThread));
  if (weight_bytes <= kPrivateCacheBytes && batch >= 2 * threads) return {threads, 1};
  Cut cut{1, std::max<int64_t>(1, std::min(threads, panels))};
  cut.groups = std::max<int64_t>(1, std::min(threads / cut.members, batch));
  return cut;
}

void run_phases(const Parallel& parallel, const Cut& cut, int64_t phases, Part part, void* job) {
  if (cut.groups * cut.members == 1) {
    for (int64_t phase = 0; phase < phases; ++phase) part(job, 0, 0, phase);
    return;
  }
  Team team(cut, phases, part, job);
  parallel.run(
      cut.groups * cut.members,
      [](int64_t begin, int64_t end, void* context) {
        for (int64_t worker = begin; worker < end; ++worker) static_cast<Team*>(context)->work(worker);
      },
      &team);
}

}  // namespace lrcn_fast::cpu
