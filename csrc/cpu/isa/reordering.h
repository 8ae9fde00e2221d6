#pragma once

#include "lrcn_fast/frames_to_input.h"
#include "storage.h"

// The bytes of pixels brought into another order, a block of 16 at a time.
namespace lrcn_fast::cpu::LRCN_ISA {

// Bytes of one shuffle, and of what lies unused on both sides of a buffer, for whole blocks to be read and written.
inline constexpr int64_t kBlock = 16;
using Block = uint8_t __attribute__((vector_size(kBlock)));

// Byte j is from[order[j]], or zero where the order says kNothing.
inline constexpr uint8_t kNothing = 0x80;
inline Block shuffled(const uint8_t* from, const Block& order) {
#if defined(__SSSE3__)
  const auto bytes = load_raw<__m128i>(from);
  return reinterpret_cast<Block>(_mm_shuffle_epi8(bytes, reinterpret_cast<__m128i>(order)));
#else
  uint8_t index[kBlock], bytes[kBlock];
  memcpy(index, &order, kBlock);
  for (int j = 0; j < kBlock; ++j) bytes[j] = index[j] == kNothing ? 0 : from[index[j]];
  return load_raw<Block>(bytes);
#endif
}

// Channels of pixels lie side by side in one stream of bytes, or each in a stream of its own.
struct Streams {
  bool interleaved;
  int64_t count;  // of streams
  int64_t bytes;  // of a pixel in a stream

  Streams(bool together, int64_t channels)
      : interleaved(together), count(together ? 1 : channels), bytes(together ? channels : 1) {}
};

// How the blocks of the result's streams are made of those of the frame's.
struct Reordering {
  int64_t pixels;  // of a block
  // By stream of the result: the streams of the frame that it takes from, and how.
  int64_t first[kMostFrameChannels], last[kMostFrameChannels];
  Block order[kMostFrameChannels][kMostFrameChannels];
  Block inversion[kMostFrameChannels] = {};
  bool is_identity = true;

  Reordering(const FramesToInput& p, const Streams& from, const Streams& to, bool mirrored)
      : pixels(from.interleaved || to.interleaved ? kBlock / p.channels : kBlock) {
    for (int64_t t = 0; t < to.count; ++t) {
      first[t] = to.interleaved || from.interleaved ? 0 : p.source[t];
      last[t] = to.interleaved ? from.count - 1 : first[t];
      for (int64_t s = first[t]; s <= last[t]; ++s) order[t][s] = Block{} + kNothing;
      for (int64_t j = 0; j < pixels * to.bytes; ++j) {
        const int64_t channel = to.interleaved ? j % p.channels : t;
        const int64_t source = p.source[channel];
        const int64_t pixel = mirrored ? pixels - 1 - j / to.bytes : j / to.bytes;
        const int64_t stream = from.interleaved ? 0 : source;
        const int64_t byte = from.interleaved ? pixel * p.channels + source : pixel;
        order[t][stream][j] = static_cast<uint8_t>(byte);
        if (mirrored && channel == p.inverted) inversion[t][j] = 0xff;
        is_identity = is_identity && stream == t && byte == j;
      }
    }
    is_identity = is_identity && from.interleaved == to.interleaved;
  }
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
