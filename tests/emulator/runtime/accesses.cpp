#include <cstring>

#include "state.h"

// Plain accesses of the running thread.

namespace lrcn_fast::emulator {

Access plain() { return {{running->id, running->clock}, running->known.get()}; }

namespace {

// A thread that waits with plain loads is wrong, but nobody would say so if it kept all others from running.
void take_turns(const void* p) {
  constexpr unsigned kLoadsOfATurn = 4096;
  if (++running->loads % kLoadsOfATurn != 0) return;
  running->waits_at = p;
  ++launch->idle_polls;
  leave(Wait::kPoll);
}

}  // namespace

void load_global(const void* p, void* to, unsigned bytes) {
  take_turns(p);
  check_read(global_target(p, bytes, "load", Intent::kRead), plain());
  std::memcpy(to, p, bytes);
}

void load_constant(const void* p, void* to, unsigned bytes) {
  const Target target = global_target(p, bytes, "load_constant", Intent::kReadConstant);
  for (Cell* cell = target.cells; cell != nullptr && cell != target.end(); ++cell) {
    if (cell->writer != 0) {
      fail("load_constant of " + describe(p) + ", which " + who(cell->writer - 1) + " wrote in the same launch");
    }
    if (bytes > 1) cell->flags |= kConstant;
  }
  std::memcpy(to, p, bytes);
}

void store_global(void* p, const void* from, unsigned bytes) {
  const Target target = global_target(p, bytes, "store", Intent::kWrite);
  check_write(target, plain());
  for (Cell* cell = target.cells; cell != target.end(); ++cell) cell->location = 0;
  std::memcpy(p, from, bytes);
  changed();
}

void load_shared(const void* p, unsigned rank, void* to, unsigned bytes) {
  take_turns(p);
  const Target target = shared_target(p, rank, bytes, "load");
  check_read(target, plain());
  std::memcpy(to, target.data, bytes);
}

void store_shared(void* p, unsigned rank, const void* from, unsigned bytes) {
  const Target target = shared_target(p, rank, bytes, "store");
  check_write(target, plain());
  std::memcpy(target.data, from, bytes);
  changed();
}

void wait_for_previous_launch() { running->waited_for_previous = true; }

}  // namespace lrcn_fast::emulator
