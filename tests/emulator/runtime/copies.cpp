#include <cstring>
#include <utility>

#include "state.h"

// Copies that run on their own. Those of cp.async belong to their thread: nobody may touch the place before the
// thread has waited. All others are agents of their own that end at any time, in any order.

namespace lrcn_fast::emulator {
namespace {

constexpr unsigned kBulk = 16;

// The copies of a block to one place, one after the other.
Stamp next_of(unsigned block, const void* place) {
  const auto [entry, is_new] = launch->agent_ids.try_emplace({block, place}, launch->agents.size());
  if (is_new) launch->agents.push_back({block});
  const unsigned agent = entry->second;
  return {static_cast<unsigned>(launch->threads.size()) + agent, ++launch->agents[agent].clock};
}

void check_bulk(const void* shared, const void* other, unsigned bytes) {
  if (bytes == 0 || bytes % kBulk != 0) {
    fail("a bulk copy of " + std::to_string(bytes) + " bytes: it must be a multiple of 16");
  }
  check_alignment(shared, kBulk, "bulk copy");
  check_alignment(other, kBulk, "bulk copy");
}

// Shared memory that a bulk copy reads, checked as the thread's own access now.
void check_source(const Target& source) {
  Access access = plain();
  access.async = true;
  check_read(source, access);
}

// Ends a copy at some later time; the block that it goes to must still be there.
void later(std::function<void()> end) { launch->on_their_way.push_back(std::move(end)); }

Access of_copy(const Event& issued, Stamp copy) { return {copy, issued.known.get(), false, true, issued.stamp}; }

void arrive(const Target& to, const std::vector<unsigned char>& value, const Event& issued, Stamp copy) {
  check_write(to, of_copy(issued, copy));
  std::memcpy(to.data, value.data(), value.size());
}

void check_alive(unsigned block) {
  if (launch->blocks[block].ended == launch->shape.threads) {
    fail("an asynchronous copy ends in block " + std::to_string(block) +
         ", which has ended: its shared memory is gone");
  }
}

void bring(const Target& to, unsigned block, const Target& from, const void* barrier, bool own) {
  const unsigned issuer = running->block;
  const Event issued = running->release();
  const Stamp stamp = next_of(issuer, barrier);
  later([=] {
    check_alive(issuer);
    check_alive(block);
    check_read(from, of_copy(issued, stamp));
    arrive(to, {from.data, from.data + from.bytes}, issued, stamp);
    complete(barrier, issued, stamp, to.bytes, own);
  });
}

}  // namespace

void copy_async(void* shared, const void* global, unsigned size, unsigned bytes) {
  if (bytes > size) fail("copy_async reads " + std::to_string(bytes) + " bytes for " + std::to_string(size));
  const Target to = shared_target(shared, running->place.rank, size, "copy_async");
  check_alignment(global, size, "copy_async");
  if (bytes > 0) check_read(global_target(global, bytes, "copy_async", Intent::kRead), plain());
  check_write(to, plain());
  for (Cell* cell = to.cells; cell != to.end(); ++cell) cell->flags |= kInFlight;
  running->copies.push_back({to.data, static_cast<const unsigned char*>(global), size, bytes});
}

void copy_async_commit() { running->groups.push_back(std::exchange(running->copies, {})); }

void copy_async_wait(unsigned pending) {
  Block& block = launch->blocks[running->block];
  for (; running->groups.size() > pending; running->groups.pop_front()) {
    for (const Thread::Copy& copy : running->groups.front()) {
      std::memset(copy.to, 0, copy.size);
      std::memcpy(copy.to, copy.from, copy.bytes);
      Cell* cell = block.shadow.at(static_cast<std::size_t>(copy.to - block.shared));
      for (unsigned i = 0; i < copy.size; i += 2, ++cell) {
        cell->flags = static_cast<std::uint8_t>(cell->flags & ~kInFlight);
        cell->written = running->clock;
      }
    }
  }
  changed();
}

void store_async(void* p, unsigned rank, const void* from, unsigned bytes, void* barrier) {
  const Target to = shared_target(p, rank, bytes, "store_async");
  const void* signal = shared_target(barrier, rank, 8, "store_async").data;
  const auto* first = static_cast<const unsigned char*>(from);
  const std::vector<unsigned char> value(first, first + bytes);
  const unsigned block = running->block - launch->blocks[running->block].rank + rank;
  const Event issued = running->release();
  const Stamp stamp = next_of(running->block, signal);
  later([=] {
    check_alive(block);
    arrive(to, value, issued, stamp);
    complete(signal, issued, stamp, to.bytes, false);
  });
}

void copy_bulk_to_shared(void* shared, const void* global, unsigned bytes, void* barrier) {
  check_bulk(shared, global, bytes);
  const unsigned rank = running->place.rank;
  const Target to = shared_target(shared, rank, bytes, "copy_bulk_to_shared");
  const Target from = global_target(global, bytes, "copy_bulk_to_shared", Intent::kRead);
  check_read(from, plain());
  bring(to, running->block, from, shared_target(barrier, rank, 8, "copy_bulk_to_shared").data, true);
}

void copy_bulk_to_peer(void* to, unsigned rank, const void* from, unsigned bytes, void* barrier) {
  check_bulk(from, to, bytes);
  const Target source = shared_target(from, running->place.rank, bytes, "copy_bulk_to_peer");
  const Target target = shared_target(to, rank, bytes, "copy_bulk_to_peer");
  check_source(source);
  const unsigned block = running->block - launch->blocks[running->block].rank + rank;
  bring(target, block, source, shared_target(barrier, rank, 8, "copy_bulk_to_peer").data, false);
}

void copy_bulk_to_global(void* global, const void* shared, unsigned bytes) {
  check_bulk(shared, global, bytes);
  const Target from = shared_target(shared, running->place.rank, bytes, "copy_bulk_to_global");
  const Target to = global_target(global, bytes, "copy_bulk_to_global", Intent::kWrite);
  check_source(from);
  const Event issued = running->release();
  const Stamp stamp = next_of(running->block, running);
  const unsigned block = running->block;
  const auto count = running->bulk_copies.on_their_way;
  running->bulk_copies.last = stamp;
  ++*count;
  later([=] {
    check_alive(block);
    check_read(from, of_copy(issued, stamp));
    arrive(to, {from.data, from.data + from.bytes}, issued, stamp);
    --*count;
  });
}

void copy_bulk_commit() { running->bulk_groups.push_back(std::exchange(running->bulk_copies, {})); }

void copy_bulk_wait(unsigned pending) {
  for (; running->bulk_groups.size() > pending; running->bulk_groups.pop_front()) {
    const Thread::BulkGroup& group = running->bulk_groups.front();
    while (*group.on_their_way > 0) leave(Wait::kNone);
    if (group.last.clock > 0) running->known = join({{running->known, group.last}}, true);
  }
}

void fence_async_copy() {
  running->async_fence_known = join({running->release()}, true);
  running->async_fence = running->clock;
}

}  // namespace lrcn_fast::emulator
