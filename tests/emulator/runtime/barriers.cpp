#include <cstring>

#include "report.h"
#include "state.h"

// Barriers of blocks, warps and clusters, and who leaves them.

namespace lrcn_fast::emulator {
namespace {

std::string count_of(unsigned n, const char* what) { return std::to_string(n) + " " + what; }

void end_block_barrier(Block& block) {
  const unsigned threads = launch->shape.threads;
  std::vector<Event> events;
  bool waited = false;
  for (unsigned t = 0; t < threads; ++t) {
    const Thread& thread = launch->threads[block.first + t];
    events.push_back({thread.known, {thread.id, thread.clock}});
    waited = waited || thread.waited_for_previous;
  }
  ++block.epoch;
  block.arrived = 0;
  const KnownPtr known = with_epoch(join(events, false), block.first / threads, block.epoch);
  for (unsigned t = 0; t < threads; ++t) {
    Thread& thread = launch->threads[block.first + t];
    thread.known = known;
    thread.clock = first_clock(block.epoch) + 1;
    thread.waited_for_previous = waited;
    if (&thread != running) wake(thread.id);
  }
}

void end_cluster_barrier(Cluster& cluster) {
  cluster.known = join(cluster.events, true);
  cluster.events.clear();
  cluster.arrived = 0;
  ++cluster.phase;
  const unsigned first = launch->blocks[cluster.first_block].first;
  const unsigned count = launch->shape.threads * launch->shape.cluster;
  for (unsigned t = first; t < first + count; ++t) {
    if (launch->threads[t].wait == Wait::kClusterBarrier) wake(t);
  }
}

unsigned cluster_threads(const Cluster& cluster) {
  return launch->shape.threads * launch->shape.cluster - cluster.ended;
}

}  // namespace

void block_barrier() {
  Block& block = launch->blocks[running->block];
  if (block.ended > 0) {
    fail("barrier divergence: waits at block_barrier, but " + count_of(block.ended, "threads of the block have ended"));
  }
  if (++block.arrived == launch->shape.threads) {
    end_block_barrier(block);
  } else {
    leave(Wait::kBlockBarrier);
  }
}

void meet(const char* name, void* operand, Work work) {
  Warp& warp = launch->warps[running->warp];
  if (warp.ended > 0) {
    fail("warp divergence: calls " + std::string(name) + ", but " +
         count_of(warp.ended, "lanes of the warp have ended"));
  }
  if (warp.count < 32 && work != nullptr) {
    fail(std::string(name) + " needs 32 lanes; the warp has " + std::to_string(warp.count));
  }
  if (warp.arrived > 0 && (warp.work != work || std::strcmp(warp.name, name) != 0)) {
    fail("warp divergence: calls " + std::string(name) + " while " + count_of(warp.arrived, "lanes wait in ") +
         warp.name);
  }
  warp.name = name;
  warp.work = work;
  warp.operands[running->place.thread % 32] = operand;
  if (++warp.arrived < warp.count) {
    running->waits_with = name;
    leave(Wait::kMeeting);
    return;
  }
  warp.arrived = 0;
  if (work != nullptr) work(warp.operands);
  for (unsigned t = warp.first; t < warp.first + warp.count; ++t) {
    if (t != running->id) wake(t);
  }
}

void warp_barrier() {
  Warp& warp = launch->warps[running->warp];
  const bool last = warp.arrived + 1 == warp.count;
  if (!last || warp.arrived == 0 || warp.work != nullptr) {
    meet("warp_barrier", nullptr, nullptr);
    return;
  }
  std::vector<Event> events;
  for (unsigned t = warp.first; t < warp.first + warp.count; ++t) events.push_back(launch->threads[t].release());
  const KnownPtr known = join(events, true);
  for (unsigned t = warp.first; t < warp.first + warp.count; ++t) launch->threads[t].known = known;
  meet("warp_barrier", nullptr, nullptr);
}

void cluster_arrive() {
  if (running->cluster_arrived) fail("cluster_arrive twice without cluster_wait between");
  running->cluster_arrived = true;
  Cluster& cluster = launch->clusters[launch->blocks[running->block].cluster];
  running->waits_at = nullptr;
  cluster.events.push_back(running->release());
  if (++cluster.arrived == cluster_threads(cluster)) end_cluster_barrier(cluster);
}

void cluster_wait() {
  if (!running->cluster_arrived) fail("cluster_wait without cluster_arrive");
  Cluster& cluster = launch->clusters[launch->blocks[running->block].cluster];
  if (running->cluster_phase == cluster.phase) leave(Wait::kClusterBarrier);
  running->cluster_arrived = false;
  running->cluster_phase = cluster.phase;
  running->acquire(cluster.known);
}

void end_thread() {
  Block& block = launch->blocks[running->block];
  ++block.ended;
  if (block.arrived > 0) {
    fail("barrier divergence: ends while " + count_of(block.arrived, "threads wait at block_barrier"));
  }
  Warp& warp = launch->warps[running->warp];
  ++warp.ended;
  if (warp.arrived > 0) {
    fail("warp divergence: ends while " + count_of(warp.arrived, "lanes wait in ") + warp.name);
  }
  // The device's cluster barrier is one of all threads that have not ended.
  Cluster& cluster = launch->clusters[block.cluster];
  if (running->cluster_arrived) fail("ends after cluster_arrive without cluster_wait");
  ++cluster.ended;
  if (cluster.arrived > 0 && cluster.arrived == cluster_threads(cluster)) end_cluster_barrier(cluster);
}

}  // namespace lrcn_fast::emulator
