#include <algorithm>
#include <cstring>

#include "state.h"

// Strong accesses to global memory, as weak as the memory model has them: a thread may read any value that it
// cannot know to be overwritten, so stores are seen late and out of order, until a release and an acquire order
// them. A value never gives way to an older one for who has seen it.

namespace lrcn_fast::emulator {
namespace {

constexpr std::size_t kVersions = 6;

Access strong() { return {{running->id, running->clock}, running->known.get(), true}; }

bool knows(Stamp stamp) { return stamp.agent == running->id || running->known->covers(stamp); }

Location& location_at(const Target& target) {
  auto& locations = launch->locations;
  bool whole = true;
  for (Cell* cell = target.cells; cell != target.end(); ++cell) {
    whole = whole && cell->location != 0 && cell->location == target.cells->location;
    if (cell->location == 0) continue;
    const Location& location = locations[cell->location - 1];
    if (location.p != target.data || location.bytes != target.bytes) {
      fail("strong accesses of " + std::to_string(location.bytes) + " and of " + std::to_string(target.bytes) +
           " bytes overlap at " + describe(target.data));
    }
  }
  if (whole) return locations[target.cells->location - 1];
  Location& location = locations.emplace_back();
  location.p = target.data;
  location.bytes = target.bytes;
  location.versions.emplace_back();
  std::memcpy(location.versions.back().bytes, target.data, target.bytes);
  // The first one is what the launch, or an ordered plain store, has left there: it is nobody's.
  location.versions.back().write = {running->id, 0};
  const auto number = static_cast<std::uint32_t>(locations.size());
  for (Cell* cell = target.cells; cell != target.end(); ++cell) cell->location = number;
  return location;
}

std::uint64_t oldest_visible(const Location& location) {
  std::uint64_t oldest = location.oldest;
  for (std::size_t i = location.versions.size(); i-- > 1;) {
    if (!knows(location.versions[i].write)) continue;
    oldest += i;
    break;
  }
  for (const Location::Sight& sight : location.sights) {
    if (knows(sight.stamp)) oldest = std::max(oldest, sight.version);
  }
  return oldest;
}

void remember(Location& location, std::uint64_t version) {
  const Stamp now = {running->id, running->clock};
  for (Location::Sight& sight : location.sights) {
    if (sight.stamp.agent == now.agent) {
      sight = {now, version};
      return;
    }
  }
  location.sights.push_back({now, version});
}

void append(Location& location, const void* bytes, KnownPtr published) {
  Location::Version& version = location.versions.emplace_back();
  std::memcpy(version.bytes, bytes, location.bytes);
  version.write = {running->id, running->clock};
  version.published = std::move(published);
  if (location.versions.size() > kVersions) {
    location.versions.pop_front();
    ++location.oldest;
  }
  std::memcpy(const_cast<void*>(location.p), bytes, location.bytes);
  changed();
  resume_readers(location);
}

// A thread that gets the same newest value again would only ask on.
void wait_for_change(Location& location, std::uint64_t chosen, std::uint64_t newest) {
  const bool waits = chosen == newest && running->newest_of == location.p && running->newest == newest;
  running->newest_of = chosen == newest ? location.p : nullptr;
  running->newest = newest;
  if (!waits) return;
  location.waiting.push_back(running->id);
  leave(Wait::kUnchanged);
}

KnownPtr released() { return join({running->release()}, true); }

}  // namespace

void resume_readers(Location& location) {
  for (const unsigned thread : location.waiting) {
    launch->threads[thread].wait = Wait::kNone;
    launch->ready.push_back(thread);
  }
  location.waiting.clear();
}

void load_strong(const void* p, void* to, unsigned bytes, bool acquire) {
  running->waits_at = p;
  ++launch->idle_polls;
  leave(Wait::kPoll);
  const Target target = global_target(p, bytes, acquire ? "load_acquire" : "load_relaxed", Intent::kRead);
  if (target.cells == nullptr) {
    std::memcpy(to, p, bytes);
    return;
  }
  check_read(target, strong());
  Location& location = location_at(target);
  const std::uint64_t newest = location.oldest + location.versions.size() - 1;
  const std::uint64_t oldest = std::max(oldest_visible(location), location.oldest);
  const bool late = launch->draw(2) == 0;
  const std::uint64_t chosen = late ? oldest + launch->draw(static_cast<unsigned>(newest - oldest + 1)) : newest;
  const Location::Version& version = location.versions[chosen - location.oldest];
  std::memcpy(to, version.bytes, bytes);
  const KnownPtr published = version.published;
  remember(location, chosen);
  if (published != nullptr && acquire) running->acquire(published);
  if (published != nullptr && !acquire) {
    running->seen = running->seen == nullptr ? published : join(running->seen, published);
  }
  wait_for_change(location, chosen, newest);
}

void store_strong(void* p, const void* from, unsigned bytes, bool release) {
  if (launch->draw(2) == 0) leave(Wait::kNone);
  const Target target = global_target(p, bytes, release ? "store_release" : "store_relaxed", Intent::kWrite);
  Location& location = location_at(target);
  check_write(target, strong());
  const KnownPtr published = release ? released() : running->fenced;
  append(location, from, published);
}

void add_release(std::uint32_t* p, std::uint32_t value) {
  if (launch->draw(2) == 0) leave(Wait::kNone);
  const Target target = global_target(p, sizeof(*p), "add_release", Intent::kWrite);
  Location& location = location_at(target);
  check_write(target, strong());
  // It reads the newest value, and hands on what came with it, as additions do.
  const Location::Version& newest = location.versions.back();
  std::uint32_t sum = 0;
  std::memcpy(&sum, newest.bytes, sizeof(sum));
  sum += value;
  KnownPtr published = released();
  if (newest.published != nullptr) published = join(newest.published, published);
  append(location, &sum, published);
}

void fence_gpu() {
  if (running->seen != nullptr) running->acquire(running->seen);
  running->seen = nullptr;
  running->fenced = released();
}

}  // namespace lrcn_fast::emulator
