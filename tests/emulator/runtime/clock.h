#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

// Who knows what of whom: the happens-before order of a launch.
//
// A moment is an agent (a thread, or the asynchronous copies of a block to one place) and its clock. The upper
// half of a thread's clock counts the barriers of its block, so that one number per block says most of what a
// thread knows; what it has learned otherwise is listed agent by agent.

namespace lrcn_fast::emulator {

using Clock = std::uint64_t;

constexpr std::uint32_t kNobody = 0xffffffff;

struct Stamp {
  std::uint32_t agent;
  Clock clock;
};

inline Clock first_clock(std::uint64_t block_epoch) { return block_epoch << 32; }

struct Known {
  std::uint32_t threads_per_block = 1;
  // All that the threads of block b did before their block's epochs[b]-th barrier.
  std::vector<std::uint32_t> epochs;
  std::vector<std::pair<std::uint32_t, Clock>> agents;  // sorted; up to this clock

  bool covers(Stamp stamp) const;
  // Whether anything of the block's threads is known.
  bool knows_of_block(std::uint32_t block) const;
};
using KnownPtr = std::shared_ptr<const Known>;

// What somebody who releases hands on: what he knows, and himself up to now.
struct Event {
  KnownPtr known;
  Stamp stamp{0, 0};
};

// All that the events bring together. `with_stamps`: the releasing moments too.
KnownPtr join(const std::vector<Event>& events, bool with_stamps);
KnownPtr join(const KnownPtr& known, const KnownPtr& other);

// Of a block that has just ended a barrier.
KnownPtr with_epoch(const KnownPtr& known, std::uint32_t block, std::uint32_t epoch);

}  // namespace lrcn_fast::emulator
