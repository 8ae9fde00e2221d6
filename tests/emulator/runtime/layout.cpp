#include "layout.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "emulator/control.h"

namespace lrcn_fast::emulator {
namespace {

// Two bytes that are a NaN in every type, also where they are read as four or eight bytes.
constexpr std::uint16_t kPoison = 0x7ff7;

int capability = 90;
int processors = 132;
unsigned at_once = std::numeric_limits<unsigned>::max();

}  // namespace

void set_compute_capability(int value) { capability = value; }
int compute_capability() { return capability; }
void set_multiprocessors(int count) { processors = count; }
int multiprocessors() { return processors; }
void set_blocks_at_once(unsigned count) { at_once = count; }
unsigned blocks_at_once() { return at_once; }

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

}  // namespace lrcn_fast::emulator
