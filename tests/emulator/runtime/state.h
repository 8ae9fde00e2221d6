#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "clock.h"
#include "emulator/runtime.h"
#include "fiber.h"
#include "shadow.h"

// The launch that runs. There is one at a time.

namespace lrcn_fast::emulator {

enum class Wait { kNone, kPoll, kUnchanged, kBlockBarrier, kMeeting, kClusterBarrier, kMbarrier, kEnded };

struct Thread {
  Place place;
  unsigned id, block, warp;
  Fiber fiber;
  Wait wait = Wait::kNone;
  const void* waits_at = nullptr;    // kPoll, kUnchanged, kMbarrier
  const char* waits_with = nullptr;  // kMeeting

  KnownPtr known;
  Clock clock;
  KnownPtr fenced;        // what a relaxed store hands on, if there was a fence
  KnownPtr seen;          // what relaxed loads have brought, for a fence to come
  Clock async_fence = 0;  // before this clock, visible to bulk copies
  KnownPtr async_fence_known;
  unsigned loads = 0;
  // What the last strong load brought, the newest there was: bringing it again is what waiting looks like.
  const void* newest_of = nullptr;
  std::uint64_t newest = 0;
  bool waited_for_previous = false;
  bool cluster_arrived = false;
  unsigned cluster_phase = 0;  // that it waits for next

  struct Copy {
    unsigned char* to;
    const unsigned char* from;
    unsigned size, bytes;
  };
  std::vector<Copy> copies;  // of the group that is not committed
  std::deque<std::vector<Copy>> groups;

  struct BulkGroup {
    std::shared_ptr<unsigned> on_their_way = std::make_shared<unsigned>(0);
    Stamp last{0, 0};
  };
  BulkGroup bulk_copies;  // of the group that is not committed
  std::deque<BulkGroup> bulk_groups;

  Event release() { return {known, {id, clock++}}; }
  void acquire(const KnownPtr& other) { known = join(known, other); }
};

struct Warp {
  unsigned first = 0, count = 0, ended = 0, arrived = 0;
  const char* name = nullptr;
  Work work = nullptr;
  void* operands[32] = {};
};

struct Block {
  unsigned first, cluster, rank;
  unsigned char* shared;
  Shadow shadow;
  unsigned arrived = 0, ended = 0;
  std::uint32_t epoch = 0;
};

struct Cluster {
  unsigned first_block = 0, arrived = 0, ended = 0;
  std::vector<Event> events;
  KnownPtr known;  // of the last phase that ended
  unsigned phase = 0;
};

struct Mbarrier {
  unsigned block, count, pending;
  std::int64_t bytes = 0;
  unsigned phase = 0;
  Stamp init;
  std::vector<Event> own, peers;  // arrivals of the running phase
  KnownPtr own_known, all_known;  // of all phases that ended
  std::vector<unsigned> waiting;
};

// A place of strong accesses, and the values that somebody may still read there.
struct Location {
  const void* p;
  unsigned bytes;

  struct Version {
    unsigned char bytes[16];
    Stamp write;
    KnownPtr published;  // what an acquire of this value brings; null for nothing
  };
  std::deque<Version> versions;
  std::uint64_t oldest = 0;  // number of the first of them

  struct Sight {
    Stamp stamp;
    std::uint64_t version;
  };
  std::vector<Sight> sights;      // who has read which version last
  std::vector<unsigned> waiting;  // kUnchanged
};

struct Agent {
  unsigned block;
  Clock clock = 0;
};

struct Launch {
  Shape shape;
  std::string name;
  const std::function<void()>* kernel;
  std::deque<Thread> threads;
  std::vector<Warp> warps;
  std::deque<Block> blocks;
  std::vector<Cluster> clusters;
  std::map<const void*, Mbarrier> mbarriers;
  std::map<std::pair<unsigned, const void*>, unsigned> agent_ids;
  std::vector<Agent> agents;
  std::deque<Location> locations;
  std::vector<std::function<void()>> on_their_way;  // asynchronous copies, which end in any order
  std::vector<unsigned> ready;
  unsigned ended = 0;
  std::uint64_t idle_polls = 0;  // since the last time that anything changed
  unsigned idle_rounds = 0;      // since then, of all that waited for a change of one place
  std::minstd_rand random;
  std::string error;

  unsigned draw(unsigned below) { return static_cast<unsigned>(random() % below); }
};

extern Launch* launch;
extern Thread* running;  // null while an asynchronous copy ends

// Ends the launch. Called by its threads, it does not return to them.
[[noreturn]] void fail(const std::string& message);
std::string who(std::uint32_t agent);
Block& block_of(unsigned rank);

// The running thread now, as who accesses memory.
Access plain();

// Lets others run; `wait` says for what, and who waits must be woken. kPoll and kNone are ready at once.
void leave(Wait wait);
void wake(unsigned thread);
// Whom a place kept waiting, because nothing changed there.
void resume_readers(Location& location);
inline void changed() { launch->idle_polls = launch->idle_rounds = 0; }

// Bytes of a copy have come at a barrier. What was issued before the copy, and the copy itself, is known to who
// waits there, with `own` also to those who wait at the scope of the block.
void complete(const void* barrier, const Event& issued, Stamp copy, unsigned bytes, bool own);

}  // namespace lrcn_fast::emulator
