#include "clock.h"

#include <algorithm>
#include <array>

namespace lrcn_fast::emulator {
namespace {

bool in_epochs(const Known& known, Stamp stamp) {
  const std::size_t block = stamp.agent / known.threads_per_block;
  return block < known.epochs.size() && (stamp.clock >> 32) < known.epochs[block];
}

using Agents = std::vector<std::pair<std::uint32_t, Clock>>;

// The latest of each agent of two sorted lists that name an agent once.
Agents merge(const Agents& a, const Agents& b) {
  Agents merged;
  merged.reserve(std::max(a.size(), b.size()));
  auto i = a.begin(), j = b.begin();
  while (i != a.end() && j != b.end()) {
    if (i->first == j->first) {
      merged.emplace_back(i->first, std::max(i->second, j->second));
      ++i, ++j;
    } else {
      merged.push_back(i->first < j->first ? *i++ : *j++);
    }
  }
  merged.insert(merged.end(), i, a.end());
  merged.insert(merged.end(), j, b.end());
  return merged;
}

Agents agents_of(const std::vector<Event>& events) {
  Agents all, latest;
  for (const Event& event : events) all.emplace_back(event.stamp.agent, event.stamp.clock);
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + 1 == all.size() || all[i + 1].first != all[i].first) latest.push_back(all[i]);
  }
  return latest;
}

void forget_what_epochs_say(Known& known) {
  const auto told = [&](const std::pair<std::uint32_t, Clock>& agent) {
    return in_epochs(known, {agent.first, agent.second});
  };
  known.agents.erase(std::remove_if(known.agents.begin(), known.agents.end(), told), known.agents.end());
}

// Threads of a block mostly wait for the same thing with the same knowledge, among threads of other blocks.
struct Joined {
  KnownPtr known, other, result;
};
Joined& joined_of(const KnownPtr& known, const KnownPtr& other) {
  static std::array<Joined, 256> recent;
  const auto number =
      reinterpret_cast<std::uintptr_t>(known.get()) * 31 + reinterpret_cast<std::uintptr_t>(other.get());
  return recent[number / 16 % recent.size()];
}

}  // namespace

bool Known::covers(Stamp stamp) const {
  if (in_epochs(*this, stamp)) return true;
  const auto found = std::lower_bound(agents.begin(), agents.end(), std::make_pair(stamp.agent, stamp.clock));
  return found != agents.end() && found->first == stamp.agent;
}

bool Known::knows_of_block(std::uint32_t block) const {
  if (epochs[block] > 0) return true;
  const std::uint32_t first = block * threads_per_block;
  const auto found = std::lower_bound(agents.begin(), agents.end(), std::make_pair(first, Clock{0}));
  return found != agents.end() && found->first < first + threads_per_block;
}

KnownPtr join(const std::vector<Event>& events, bool with_stamps) {
  std::vector<const Known*> distinct;
  for (const Event& event : events) {
    if (distinct.empty() || distinct.back() != event.known.get()) distinct.push_back(event.known.get());
  }
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() == 1 && !with_stamps) return events.front().known;

  auto joined = std::make_shared<Known>(*distinct.front());
  for (std::size_t i = 1; i < distinct.size(); ++i) {
    const Known& other = *distinct[i];
    for (std::size_t b = 0; b < joined->epochs.size(); ++b) {
      joined->epochs[b] = std::max(joined->epochs[b], other.epochs[b]);
    }
    joined->agents = merge(joined->agents, other.agents);
  }
  if (with_stamps) joined->agents = merge(joined->agents, agents_of(events));
  forget_what_epochs_say(*joined);
  return joined;
}

KnownPtr join(const KnownPtr& known, const KnownPtr& other) {
  if (known == other) return known;
  Joined& joined = joined_of(known, other);
  if (known != joined.known || other != joined.other) {
    joined = {known, other, join({Event{known}, Event{other}}, false)};
  }
  return joined.result;
}

KnownPtr with_epoch(const KnownPtr& known, std::uint32_t block, std::uint32_t epoch) {
  auto next = std::make_shared<Known>(*known);
  next->epochs[block] = epoch;
  forget_what_epochs_say(*next);
  return next;
}

}  // namespace lrcn_fast::emulator
