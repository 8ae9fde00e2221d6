#include "shadow.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "state.h"

namespace lrcn_fast::emulator {
namespace {

struct Reader {
  Stamp stamp;
  bool strong;
};

// Lists of the cells that several threads read, sorted by agent; number 0 is nobody's.
std::vector<std::vector<Reader>>& reader_lists() {
  static std::vector<std::vector<Reader>> lists(1);
  return lists;
}

[[noreturn]] void conflict(const Target& target, const Cell* cell, const Access& access, const char* what,
                           std::uint32_t other, const char* other_did) {
  const unsigned char* p = target.data + 2 * (cell - target.cells);
  fail("race at " + describe(p) + ": " + (access.async ? "an asynchronous copy " : "") + what + " what " + who(other) +
       " " + other_did + ", and nothing (barrier, release and acquire, wait for a copy) orders the two");
}

// Strong accesses of a place never race with each other.
bool ordered(const Access& access, Stamp other, bool other_strong) {
  return other.agent == access.stamp.agent || (access.strong && other_strong) || access.knows(other);
}

// A bulk copy reads past the order of the threads: their writes must have been fenced for it.
bool fenced_for_copies(const Access& access, Stamp write) {
  const Thread& writer = launch->threads[write.agent];
  if (write.clock < writer.async_fence) return true;
  const Thread& issuer = launch->threads[access.stamp.agent];
  return issuer.async_fence_known != nullptr && issuer.async_fence_known->covers(write);
}

void remember_reader(Cell& cell, const Access& access) {
  const Stamp now = access.stamp;
  if (cell.reader == 0 || cell.reader == now.agent + 1 || access.knows({cell.reader - 1, cell.read})) {
    cell.reader = now.agent + 1;
    cell.read = now.clock;
    cell.flags = static_cast<std::uint8_t>((cell.flags & ~kStrongRead) | (access.strong ? kStrongRead : 0));
    return;
  }
  auto& lists = reader_lists();
  if (cell.readers == 0) {
    cell.readers = static_cast<std::uint32_t>(lists.size());
    lists.emplace_back();
  }
  auto& list = lists[cell.readers];
  const auto place = std::lower_bound(list.begin(), list.end(), now.agent,
                                      [](const Reader& reader, unsigned agent) { return reader.stamp.agent < agent; });
  if (place != list.end() && place->stamp.agent == now.agent) {
    *place = {now, access.strong};
  } else {
    list.insert(place, {now, access.strong});
  }
}

void check_in_flight(const Target& target, const Cell* cell, const char* what) {
  if ((cell->flags & kInFlight) == 0) return;
  fail("race at " + describe(target.data + 2 * (cell - target.cells)) + ": " + what +
       " what copy_async is still bringing: copy_async_wait is missing or waits for too few groups");
}

}  // namespace

Shadow::Shadow(std::size_t bytes) : cells_(static_cast<Cell*>(std::calloc((bytes + 1) / 2, sizeof(Cell)))) {
  if (cells_ == nullptr && bytes > 0) throw std::bad_alloc();
}

void Shadow::Free::operator()(Cell* cells) const { std::free(cells); }

void forget_readers() { reader_lists().resize(1); }

void check_read(const Target& target, const Access& access) {
  // Two neighbours of one byte share a cell.
  if (target.cells == nullptr || target.bytes == 1) return;
  for (Cell* cell = target.cells; cell != target.end(); ++cell) {
    check_in_flight(target, cell, "reads");
    if (cell->writer != 0) {
      const Stamp write = {cell->writer - 1, cell->written};
      if (!ordered(access, write, (cell->flags & kStrongWrite) != 0)) {
        conflict(target, cell, access, "reads", write.agent, "wrote");
      }
      const bool by_thread = write.agent < launch->threads.size() && access.stamp.agent < launch->threads.size();
      if (access.async && by_thread && !fenced_for_copies(access, write)) {
        fail("bulk copy of " + describe(target.data) + ", which " + who(write.agent) +
             " wrote without fence_async_copy between");
      }
    }
    remember_reader(*cell, access);
  }
}

void check_write(const Target& target, const Access& access) {
  if (target.cells == nullptr || target.bytes == 1) return;
  for (Cell* cell = target.cells; cell != target.end(); ++cell) {
    check_in_flight(target, cell, "writes over");
    if ((cell->flags & kConstant) != 0) {
      fail("store to " + describe(target.data) + ", which was read by load_constant in the same launch");
    }
    const Stamp write = {cell->writer - 1, cell->written};
    if (cell->writer != 0 && !ordered(access, write, (cell->flags & kStrongWrite) != 0)) {
      conflict(target, cell, access, "writes over", write.agent, "wrote");
    }
    const Stamp read = {cell->reader - 1, cell->read};
    if (cell->reader != 0 && !ordered(access, read, (cell->flags & kStrongRead) != 0)) {
      conflict(target, cell, access, "writes over", read.agent, "reads");
    }
    if (cell->readers != 0) {
      for (const Reader& reader : reader_lists()[cell->readers]) {
        if (!ordered(access, reader.stamp, reader.strong)) {
          conflict(target, cell, access, "writes over", reader.stamp.agent, "reads");
        }
      }
      reader_lists()[cell->readers].clear();
    }
    cell->writer = access.stamp.agent + 1;
    cell->written = access.stamp.clock;
    cell->reader = 0;
    cell->flags = access.strong ? kStrongWrite : 0;
  }
}

}  // namespace lrcn_fast::emulator
