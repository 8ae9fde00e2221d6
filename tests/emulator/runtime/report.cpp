#include "report.h"

#include "state.h"

namespace lrcn_fast::emulator {
namespace {

std::string waits(const Thread& thread) {
  switch (thread.wait) {
    case Wait::kBlockBarrier:
      return "at block_barrier";
    case Wait::kMeeting:
      return std::string("in ") + thread.waits_with + " for the other lanes of the warp";
    case Wait::kClusterBarrier:
      return "in cluster_wait";
    case Wait::kMbarrier: {
      const Mbarrier& barrier = launch->mbarriers.at(thread.waits_at);
      return "in mbarrier_wait at " + describe(thread.waits_at) + " (phase " + std::to_string(barrier.phase) +
             " needs " + std::to_string(barrier.pending) + " arrivals and " + std::to_string(barrier.bytes) + " bytes)";
    }
    case Wait::kPoll:
    case Wait::kUnchanged:
    case Wait::kNone:
      return "polling " + (thread.waits_at == nullptr ? "nothing" : describe(thread.waits_at));
    case Wait::kEnded:
      return "ended";
  }
  return "";
}

}  // namespace

std::string who(std::uint32_t agent) {
  const unsigned threads = launch->shape.threads;
  if (agent >= launch->threads.size()) {
    const Agent& copies = launch->agents[agent - launch->threads.size()];
    return "an asynchronous copy of block " + std::to_string(copies.block);
  }
  const unsigned thread = agent % threads;
  return "block " + std::to_string(agent / threads) + " thread " + std::to_string(thread) + " (warp " +
         std::to_string(thread / 32) + " lane " + std::to_string(thread % 32) + ")";
}

std::string deadlock() {
  constexpr int kLines = 16;
  std::string text = "deadlock, nobody can go on:";
  int lines = 0;
  const auto& threads = launch->threads;
  for (std::size_t first = 0; first < threads.size();) {
    const std::string where = waits(threads[first]);
    std::size_t last = first;
    while (last + 1 < threads.size() && threads[last + 1].block == threads[first].block &&
           waits(threads[last + 1]) == where) {
      ++last;
    }
    const bool of_interest = threads[first].wait != Wait::kEnded;
    if (of_interest && ++lines <= kLines) {
      text += "\n  block " + std::to_string(threads[first].block) + " threads " +
              std::to_string(threads[first].place.thread) + " to " + std::to_string(threads[last].place.thread) +
              " wait " + where;
    }
    first = last + 1;
  }
  if (lines > kLines) text += "\n  and " + std::to_string(lines - kLines) + " more";
  if (launch->ended > 0) text += "\n  " + std::to_string(launch->ended) + " threads have ended";
  return text;
}

}  // namespace lrcn_fast::emulator
