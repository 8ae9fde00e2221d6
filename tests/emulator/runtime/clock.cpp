#include "clock.h"

#include <algorithm>

namespace lrcn_fast::emulator {
namespace {

bool in_epochs(const Known& known, Stamp stamp) {
  const std::size_t block = stamp.agent / known.threads_per_block;
  return block < known.epochs.size() && (stamp.clock >> 32) < known.epochs[block];
}

using Agents = std::vector<std::pair<std::uint32_t, Clock>>;

// Sorted, the latest of each, without what the epochs say already.
void normalize(Known& known) {
  Agents& agents = known.agents;
  std::sort(agents.begin(), agents.end());
  Agents kept;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    const bool latest = i + 1 == agents.size() || agents[i + 1].first != agents[i].first;
    if (latest && !in_epochs(known, {agents[i].first, agents[i].second})) kept.push_back(agents[i]);
  }
  agents.swap(kept);
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
    joined->agents.insert(joined->agents.end(), other.agents.begin(), other.agents.end());
  }
  if (with_stamps) {
    for (const Event& event : events) joined->agents.emplace_back(event.stamp.agent, event.stamp.clock);
  }
  normalize(*joined);
  return joined;
}

KnownPtr join(const KnownPtr& known, const KnownPtr& other) {
  if (known == other) return known;
  // Threads of a block mostly wait for the same thing with the same knowledge.
  static KnownPtr last_known, last_other, last_result;
  if (known != last_known || other != last_other) {
    last_result = join({Event{known}, Event{other}}, false);
    last_known = known;
    last_other = other;
  }
  return last_result;
}

KnownPtr with_epoch(const KnownPtr& known, std::uint32_t block, std::uint32_t epoch) {
  auto next = std::make_shared<Known>(*known);
  next->epochs[block] = epoch;
  normalize(*next);
  return next;
}

}  // namespace lrcn_fast::emulator
