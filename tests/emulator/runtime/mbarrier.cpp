#include <utility>

#include "state.h"

// Barriers in shared memory. The runtime keeps their state; the word in shared memory only stands for it.

namespace lrcn_fast::emulator {
namespace {

// An operation at a barrier conflicts with its initialisation, as a read does with a write.
Mbarrier& barrier_at(const void* own, unsigned rank, const char* what, const void** place) {
  const Target target = shared_target(own, rank, 8, what);
  const auto found = launch->mbarriers.find(target.data);
  if (found == launch->mbarriers.end()) {
    fail(std::string(what) + " at " + describe(target.data) + ", where there has been no mbarrier_init");
  }
  check_read(target, {{running->id, running->clock}, running->known.get(), true});
  *place = target.data;
  return found->second;
}

void end_phase(Mbarrier& barrier) {
  ++barrier.phase;
  barrier.pending = barrier.count;
  if (!barrier.own.empty()) {
    if (barrier.own_known != nullptr) barrier.own.push_back({barrier.own_known, barrier.own.back().stamp});
    barrier.own_known = join(barrier.own, true);
  }
  std::vector<Event> all = std::move(barrier.peers);
  all.insert(all.end(), barrier.own.begin(), barrier.own.end());
  if (!all.empty()) {
    if (barrier.all_known != nullptr) all.push_back({barrier.all_known, all.back().stamp});
    barrier.all_known = join(all, true);
  }
  barrier.own.clear();
  barrier.peers.clear();
  for (const unsigned thread : barrier.waiting) wake(thread);
  barrier.waiting.clear();
}

void end_phase_if_complete(Mbarrier& barrier) {
  if (barrier.pending == 0 && barrier.bytes == 0) end_phase(barrier);
}

}  // namespace

void mbarrier_init(void* barrier, unsigned count) {
  const Target target = shared_target(barrier, running->place.rank, 8, "mbarrier_init");
  check_write(target, plain());
  if (count == 0) fail("mbarrier_init with a count of 0");
  Mbarrier& state = launch->mbarriers[target.data];
  state = {};
  state.block = running->block;
  state.count = state.pending = count;
  changed();
}

void mbarrier_arrive(void* barrier, unsigned rank) {
  if (launch->draw(4) == 0) leave(Wait::kNone);
  const void* place = nullptr;
  Mbarrier& state = barrier_at(barrier, rank, "mbarrier_arrive", &place);
  if (state.pending == 0) {
    fail("mbarrier_arrive at " + describe(place) + ": more arrivals than the " + std::to_string(state.count) +
         " that a phase has");
  }
  --state.pending;
  (state.block == running->block ? state.own : state.peers).push_back(running->release());
  changed();
  end_phase_if_complete(state);
}

void mbarrier_expect(void* barrier, unsigned bytes) {
  const void* place = nullptr;
  barrier_at(barrier, running->place.rank, "mbarrier_expect", &place).bytes += bytes;
  changed();
}

void mbarrier_wait(void* barrier, unsigned parity, bool cluster) {
  if (launch->draw(4) == 0) leave(Wait::kNone);
  const void* place = nullptr;
  Mbarrier& state = barrier_at(barrier, running->place.rank, "mbarrier_wait", &place);
  if (parity > 1) fail("mbarrier_wait with a parity of " + std::to_string(parity));
  while (state.phase % 2 == parity) {
    state.waiting.push_back(running->id);
    running->waits_at = place;
    leave(Wait::kMbarrier);
  }
  const KnownPtr& known = cluster ? state.all_known : state.own_known;
  if (known != nullptr) running->acquire(known);
}

void complete(const void* barrier, const Event& issued, Stamp copy, unsigned bytes, bool own) {
  const auto found = launch->mbarriers.find(barrier);
  if (found == launch->mbarriers.end()) fail("a copy ends at " + describe(barrier) + ", which is no mbarrier");
  Mbarrier& state = found->second;
  state.bytes -= bytes;
  std::vector<Event>& events = own ? state.own : state.peers;
  events.push_back(issued);
  events.push_back({issued.known, copy});
  end_phase_if_complete(state);
}

}  // namespace lrcn_fast::emulator
