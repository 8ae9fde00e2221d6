#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clock.h"

// What has been done to memory since the launch began, for every two bytes of it: by whom, when and how.

namespace lrcn_fast::emulator {

enum CellFlag : std::uint8_t { kStrongWrite = 1, kStrongRead = 2, kConstant = 4, kInFlight = 8 };

struct Cell {
  Clock written, read;
  std::uint32_t writer, reader;  // agent + 1, or 0 for nobody
  std::uint32_t readers;         // number of a list of further readers, or 0
  std::uint32_t location;        // number of a place of strong accesses, or 0
  std::uint8_t flags;
};

class Shadow {
 public:
  explicit Shadow(std::size_t bytes);
  Cell* at(std::size_t offset) { return cells_.get() + offset / 2; }

 private:
  struct Free {
    void operator()(Cell* cells) const;
  };
  std::unique_ptr<Cell, Free> cells_;
};

// Who accesses memory, with what knowledge.
struct Access {
  Stamp stamp;
  const Known* known;
  bool strong = false;
  bool async = false;
  Stamp issuer{kNobody, 0};  // of an asynchronous copy: what this thread did up to this clock is known too

  bool knows(Stamp other) const {
    return (other.agent == issuer.agent && other.clock <= issuer.clock) || known->covers(other);
  }
};

struct Target {
  unsigned char* data;
  Cell* cells;  // null where nothing is to be recorded
  unsigned bytes;
  Cell* end() const { return cells + (bytes + 1) / 2; }
};

// Both fail on a conflict: two accesses to the same place, one of them a write, without an order of them.
void check_read(const Target& target, const Access& access);
void check_write(const Target& target, const Access& access);

void forget_readers();

// Global memory of a call, a copy of its arrays.
struct Buffer {
  std::string name;
  std::vector<unsigned char> storage;
  unsigned char* data;
  std::size_t size;
  bool writable;
  std::vector<bool> holes;  // bytes between the rows of an array; empty where there are none
  std::unique_ptr<Shadow> shadow;
  std::vector<bool> written_before;  // cells that launches wrote which may still run; empty for none
};

void add_buffer(Buffer* buffer);
void remove_buffer(Buffer* buffer);
// With `overlaps` the launches before, from the last that did not overlap on, may still write.
void begin_buffers(bool overlaps);

// Fail where the address is bad. Bulk copies are aligned to 16 bytes, other accesses to their size.
enum class Intent { kRead, kReadConstant, kWrite };
Target global_target(const void* p, unsigned bytes, const char* what, Intent intent);
Target shared_target(const void* p, unsigned rank, unsigned bytes, const char* what);
void check_alignment(const void* p, unsigned bytes, const char* what);
std::string describe(const void* p);

}  // namespace lrcn_fast::emulator
