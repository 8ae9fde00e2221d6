#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "emulator/control.h"
#include "lrcn_fast/launch_error.h"
#include "report.h"
#include "state.h"

// Starts a launch, runs its threads in a random order, and ends it.

namespace lrcn_fast {
namespace {

std::string refusal;

}  // namespace

const char* launch_error() { return refusal.c_str(); }

namespace emulator {

Launch* launch = nullptr;
Thread* running = nullptr;

namespace {

constexpr std::size_t kMostThreadsAtOnce = 1 << 16;
// Two bytes that are a NaN in every type, also where they are read as four or eight bytes.
constexpr std::uint16_t kPoison = 0x7ff7;

std::uint32_t seed = 0;
int capability = 90;

std::string readable(const char* mangled) {
  int status = 0;
  char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  const std::string name = status == 0 ? text : mangled;
  std::free(text);
  return name;
}

const char* reason_to_refuse(const Shape& shape) {
  const bool large = capability == 80 || capability == 87;
  const std::size_t most_shared = (capability >= 90 && capability < 120 ? 227 : large ? 163 : 99) * 1024;
  const unsigned* blocks = shape.blocks;
  if (blocks[0] == 0 || blocks[1] == 0 || blocks[2] == 0) return "invalid configuration argument: no blocks";
  if (blocks[1] > 65535 || blocks[2] > 65535) return "invalid configuration argument: more than 65535 blocks in y or z";
  if (shape.threads == 0 || shape.threads > 1024) return "invalid configuration argument: threads of a block";
  if (shape.shared_bytes > most_shared) return "invalid argument: shared memory";
  if (shape.cluster == 0 || shape.cluster > 16) return "invalid configuration argument: cluster size";
  if (shape.cluster > 1 && capability < 90) return "operation not supported: clusters";
  if (blocks[0] % shape.cluster != 0) return "invalid configuration argument: blocks are no multiple of the cluster";
  return nullptr;
}

void body() {
  try {
    (*launch->kernel)();
  } catch (const std::exception& error) {
    fail(std::string("exception in the kernel: ") + error.what());
  }
  end_thread();
  running->wait = Wait::kEnded;
  running->fiber.leave();
}

void lay_out(Launch& l, std::vector<unsigned char>& memory) {
  const Shape& s = l.shape;
  const std::size_t blocks = std::size_t{1} * s.blocks[0] * s.blocks[1] * s.blocks[2];
  const std::size_t stride = (s.shared_bytes + 127) / 128 * 128 + 128;
  memory.resize(stride * blocks + 128);
  unsigned char* first = memory.data() + (128 - reinterpret_cast<std::uintptr_t>(memory.data()) % 128) % 128;
  for (std::size_t i = 0; i < stride * blocks; i += sizeof(kPoison)) std::memcpy(first + i, &kPoison, sizeof(kPoison));

  auto known = std::make_shared<Known>();
  known->threads_per_block = s.threads;
  known->epochs.resize(blocks);
  const unsigned warps = (s.threads + 31) / 32;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto block = static_cast<unsigned>(b);
    const unsigned x = block % s.blocks[0], y = block / s.blocks[0] % s.blocks[1];
    const unsigned z = block / s.blocks[0] / s.blocks[1];
    const unsigned first_thread = block * s.threads;
    l.blocks.push_back({first_thread, block / s.cluster, x % s.cluster, first + stride * b, Shadow(s.shared_bytes)});
    if (x % s.cluster == 0) {
      l.clusters.push_back({});
      l.clusters.back().first_block = block;
    }
    for (unsigned w = 0; w < warps; ++w) {
      l.warps.push_back({});
      l.warps.back().first = first_thread + 32 * w;
      l.warps.back().count = std::min(32u, s.threads - 32 * w);
    }
    for (unsigned t = 0; t < s.threads; ++t) {
      Thread& thread = l.threads.emplace_back();
      thread.place = {t, s.threads, {x, y, z}, {s.blocks[0], s.blocks[1], s.blocks[2]}, x % s.cluster, s.cluster};
      thread.id = first_thread + t;
      thread.block = block;
      thread.warp = block * warps + t / 32;
      thread.known = known;
      thread.clock = 1;
      l.ready.push_back(thread.id);
    }
  }
}

void step(Launch& l) {
  if (!l.on_their_way.empty() && (l.ready.empty() || l.draw(8) == 0)) {
    auto& chosen = l.on_their_way[l.draw(static_cast<unsigned>(l.on_their_way.size()))];
    std::swap(chosen, l.on_their_way.back());
    const std::function<void()> arrive = std::move(l.on_their_way.back());
    l.on_their_way.pop_back();
    changed();
    arrive();
    return;
  }
  const std::uint64_t patience = 20000 + std::uint64_t{1000} * (l.threads.size() - l.ended);
  if (l.ready.empty() || l.idle_polls > patience) throw std::runtime_error(deadlock());

  auto& chosen = l.ready[l.draw(static_cast<unsigned>(l.ready.size()))];
  std::swap(chosen, l.ready.back());
  Thread& thread = l.threads[l.ready.back()];
  l.ready.pop_back();
  running = &thread;
  thread.wait = Wait::kNone;
  if (!thread.fiber.started()) thread.fiber.start(body);
  thread.fiber.resume();
  if (thread.fiber.overflowed()) l.error = who(thread.id) + " overran its stack of 128 KiB";
  running = nullptr;
  if (!l.error.empty()) throw std::runtime_error(l.error);
  if (thread.wait == Wait::kEnded) {
    thread.fiber.recycle();
    ++l.ended;
    changed();
  } else if (thread.wait == Wait::kNone || thread.wait == Wait::kPoll) {
    l.ready.push_back(thread.id);
  }
}

}  // namespace

void set_seed(std::uint32_t value) { seed = value; }
void set_compute_capability(int value) { capability = value; }
int compute_capability() { return capability; }

const Place& place() { return running->place; }
unsigned char* shared_memory() { return launch->blocks[running->block].shared; }

Block& block_of(unsigned rank) {
  const Block& own = launch->blocks[running->block];
  if (rank >= launch->shape.cluster) {
    fail("rank " + std::to_string(rank) + " in a cluster of " + std::to_string(launch->shape.cluster) + " blocks");
  }
  return launch->blocks[running->block - own.rank + rank];
}

void leave(Wait wait) {
  running->wait = wait;
  running->fiber.leave();
}

void wake(unsigned thread) {
  launch->threads[thread].wait = Wait::kNone;
  launch->ready.push_back(thread);
  changed();
}

void fail(const std::string& message) {
  if (running == nullptr) throw std::runtime_error(message);
  launch->error = who(running->id) + ": " + message;
  running->fiber.leave();
  std::abort();
}

Status run(const Shape& shape, const char* params_type, const std::function<void()>& kernel) {
  const char* reason = reason_to_refuse(shape);
  if (reason != nullptr) {
    refusal = reason;
    return Status::kLaunchFailed;
  }
  const std::string name = "launch of " + readable(params_type) + ": ";
  const std::size_t threads = std::size_t{shape.threads} * shape.blocks[0] * shape.blocks[1] * shape.blocks[2];
  if (threads > kMostThreadsAtOnce) {
    throw std::runtime_error(name + std::to_string(threads) + " threads are more than the emulator runs at once");
  }

  Launch current;
  std::vector<unsigned char> memory;
  current.shape = shape;
  // Overlapping launches do not exist before sm_90.
  if (capability < 90) current.shape.overlaps_previous = false;
  current.kernel = &kernel;
  current.random.seed(seed * 2654435761u + 1);
  forget_readers();
  begin_buffers();
  lay_out(current, memory);
  launch = &current;
  const auto end = [&] {
    for (Thread& thread : current.threads) thread.fiber.recycle();
    running = nullptr;
    launch = nullptr;
  };
  try {
    while (current.ended < current.threads.size() || !current.on_their_way.empty()) step(current);
  } catch (const std::exception& error) {
    const std::string text = name + error.what();
    end();
    throw std::runtime_error(text);
  }
  end();
  return Status::kOk;
}

}  // namespace emulator
}  // namespace lrcn_fast
