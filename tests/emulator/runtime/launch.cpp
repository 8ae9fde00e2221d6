#include <cxxabi.h>

#include <cstdlib>
#include <stdexcept>

#include "emulator/control.h"
#include "layout.h"
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

std::uint32_t seed = 0;
std::size_t shared_bytes_of_last = 0;
std::string last;
unsigned count = 0;

std::string readable(const char* mangled) {
  int status = 0;
  char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  const std::string name = status == 0 ? text : mangled;
  std::free(text);
  return name;
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

// Nobody has changed what they read, but a kernel may read a place several times and go on.
void resume_unchanged(Launch& l) {
  constexpr unsigned kRounds = 64;
  if (++l.idle_rounds > kRounds) return;
  for (Location& location : l.locations) resume_readers(location);
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
  if (l.ready.empty()) resume_unchanged(l);
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
std::size_t last_shared_bytes() { return shared_bytes_of_last; }
const std::string& last_launch() { return last; }
unsigned launches() { return count; }

bool refuses(const Shape& shape) { return reason_to_refuse(shape) != nullptr; }

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
  last = readable(params_type);
  ++count;
  const std::string name = "launch of " + last + ": ";
  const std::size_t threads = std::size_t{shape.threads} * shape.blocks[0] * shape.blocks[1] * shape.blocks[2];
  if (threads > kMostThreadsAtOnce) {
    throw std::runtime_error(name + std::to_string(threads) + " threads are more than the emulator runs at once");
  }

  Launch current;
  std::vector<unsigned char> memory;
  current.shape = shape;
  // Overlapping launches do not exist before sm_90.
  if (compute_capability() < 90) current.shape.overlaps_previous = false;
  shared_bytes_of_last = current.shape.shared_bytes;
  current.kernel = &kernel;
  current.random.seed(seed * 2654435761u + 1);
  forget_readers();
  begin_buffers(current.shape.overlaps_previous);
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
