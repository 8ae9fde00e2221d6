#pragma once

#include "lrcn_fast/frames_to_input.h"
#include "lrcn_fast/parallel.h"
#include "reordering.h"
#include "storage.h"

// A row passes in pieces through buffers in the first-level cache: its bytes are brought into the order of the
// result, then turned into numbers, a vector at a time.
namespace lrcn_fast::cpu::LRCN_ISA {

// A multiple of the pixels of a block, whatever the channels.
inline constexpr int64_t kPiecePixels = 960;
inline constexpr int64_t kElementsPerItem = 1 << 15;

inline void widen(const uint8_t* source, Vec<double>& result) {
  for (int64_t lane = 0; lane < kLanes<double>; ++lane) result[lane] = source[lane];
}
// The compilers' own conversion of such vectors goes through one lane after the other.
inline void widen(const uint8_t* source, Vec<float>& result) {
#if defined(__AVX512F__)
  result = reinterpret_cast<Vec<float>>(
      _mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepu8_epi32(0xffff, load_raw<__m128i>(source))));
#elif defined(__AVX2__)
  const auto bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source));
  result = reinterpret_cast<Vec<float>>(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)));
#else
  Vec<int32_t> integers;
  for (int64_t lane = 0; lane < kLanes<float>; ++lane) integers[lane] = source[lane];
  result = __builtin_convertvector(integers, Vec<float>);
#endif
}

// The first `count` lanes, as storage.h's loads.
template <class C>
inline Vec<C> load_bytes(const uint8_t* source, int64_t count) {
  Vec<C> result;
  uint8_t bytes[kLanes<C>] = {};
  if (count < kLanes<C>) source = static_cast<const uint8_t*>(memcpy(bytes, source, static_cast<size_t>(count)));
  widen(source, result);
  return result;
}

template <class S>
struct FramesJob {
  using C = Compute<S>;

  const FramesToInput& p;
  Streams from, to;
  Reordering orders[2];  // of frames as they are, and mirrored
  // Of the result's stream t and its vector q of every kPeriod: a period later channels come again in the same lanes.
  Vec<C> mean[kMostFrameChannels][kMostFrameChannels], scale[kMostFrameChannels][kMostFrameChannels];
  bool has_image;
  int64_t rows_per_item;

  explicit FramesJob(const FramesToInput& params)
      : p(params),
        from(p.channel_stride == 1 && p.column_stride == p.channels, p.channels),
        to(p.channels_last, p.channels),
        orders{Reordering(p, from, to, false), Reordering(p, from, to, true)},
        has_image(p.mean_image != nullptr && (p.mean_row_stride != 0 || p.mean_column_stride != 0)),
        rows_per_item(1 + kElementsPerItem / (p.width * p.channels)) {
    for (int64_t t = 0; t < to.count; ++t) {
      for (int64_t q = 0; q < to.bytes; ++q) {
        for (int64_t lane = 0; lane < kLanes<C>; ++lane) {
          const int64_t channel = to.interleaved ? (q * kLanes<C> + lane) % p.channels : t;
          const bool of_tensor = p.mean_image != nullptr && !has_image;
          mean[t][q][lane] = of_tensor ? *mean_at(channel, 0, 0) : static_cast<C>(p.mean[channel]);
          scale[t][q][lane] = static_cast<C>(p.scale[channel]);
        }
      }
    }
  }

  int64_t items() const { return (p.frames * p.height + rows_per_item - 1) / rows_per_item; }

  const C* mean_at(int64_t channel, int64_t y, int64_t x) const {
    return static_cast<const C*>(p.mean_image) + channel * p.mean_channel_stride + y * p.mean_row_stride +
           x * p.mean_column_stride;
  }

  void run(int64_t begin, int64_t end) const {
    const int64_t rows = p.frames * p.height;
    const int64_t last = end * rows_per_item < rows ? end * rows_per_item : rows;
    for (int64_t row = begin * rows_per_item; row < last; ++row) convert_row(row / p.height, row % p.height);
  }

  void convert_row(int64_t frame, int64_t y) const {
    const bool mirrored = p.mirror != nullptr && p.mirror[frame];
    const int64_t top = p.offsets != nullptr ? p.offsets[2 * frame] : (p.frame_height - p.height) / 2;
    const int64_t left = p.offsets != nullptr ? p.offsets[2 * frame + 1] : (p.frame_width - p.width) / 2;
    S* result[kMostFrameChannels];
    for (int64_t t = 0; t < to.count; ++t) {
      result[t] = static_cast<S*>(p.input) + ((frame * to.count + t) * p.height + y) * p.width * to.bytes;
    }
    for (int64_t x = 0; x < p.width; x += kPiecePixels) {
      const int64_t pixels = p.width - x < kPiecePixels ? p.width - x : kPiecePixels;
      const int64_t column = left + (mirrored ? p.width - x - pixels : x);
      convert_piece(frame, top + y, column, pixels, mirrored, result);
      for (int64_t t = 0; t < to.count; ++t) result[t] += pixels * to.bytes;
    }
  }

  // Pixels from `column` on of row `y` of a frame.
  void convert_piece(int64_t frame, int64_t y, int64_t column, int64_t pixels, bool mirrored, S* const* result) const {
    const Reordering& reordering = orders[mirrored];
    const uint8_t* source = p.pixels + frame * p.frame_stride + y * p.row_stride + column * p.column_stride;
    if (reordering.is_identity && (from.interleaved || p.column_stride == 1)) {
      for (int64_t t = 0; t < to.count; ++t) {
        const uint8_t* bytes = source + (from.interleaved ? 0 : t * p.channel_stride);
        convert(bytes, t, y, column, pixels, mirrored, result[t]);
      }
      return;
    }
    uint8_t gathered[kMostFrameChannels][kPiecePixels + 2 * kBlock];
    uint8_t ordered[kMostFrameChannels * kPiecePixels + kBlock];
    const uint8_t* streams[kMostFrameChannels];
    for (int64_t s = 0; s < from.count; ++s) streams[s] = gather(source, s, pixels, gathered[s] + kBlock);
    for (int64_t t = 0; t < to.count; ++t) {
      reorder(reordering, streams, t, pixels, mirrored, ordered);
      convert(ordered, t, y, column, pixels, mirrored, result[t]);
    }
  }

  // Copies a stream of the frame to where whole blocks may be read before and behind it.
  const uint8_t* gather(const uint8_t* source, int64_t stream, int64_t pixels, uint8_t* target) const {
    if (from.interleaved || p.column_stride == 1) {
      const uint8_t* bytes = source + (from.interleaved ? 0 : stream * p.channel_stride);
      memcpy(target, bytes, static_cast<size_t>(pixels * from.bytes));
    } else {
      for (int64_t x = 0; x < pixels; ++x) target[x] = source[x * p.column_stride + stream * p.channel_stride];
    }
    return target;
  }

  void reorder(const Reordering& reordering, const uint8_t* const* streams, int64_t t, int64_t pixels, bool mirrored,
               uint8_t* target) const {
    const int64_t first = reordering.first[t], last = reordering.last[t], step = reordering.pixels;
    const Block order = reordering.order[t][first], inversion = reordering.inversion[t];
    for (int64_t x = 0; x < pixels; x += step) {
      const int64_t begin = (mirrored ? pixels - x - step : x) * from.bytes;
      Block block = inversion ^ shuffled(streams[first] + begin, order);
      for (int64_t s = first + 1; s <= last; ++s) block ^= shuffled(streams[s] + begin, reordering.order[t][s]);
      memcpy(target + x * to.bytes, &block, sizeof(block));
    }
  }

  void convert(const uint8_t* bytes, int64_t t, int64_t y, int64_t column, int64_t pixels, bool mirrored,
               S* result) const {
    C means[kMostFrameChannels * kPiecePixels];
    if (has_image) {
      const int64_t step = mirrored ? -p.mean_column_stride : p.mean_column_stride;
      for (int64_t k = 0; k < to.bytes; ++k) {
        const C* image = mean_at(to.interleaved ? k : t, y, mirrored ? column + pixels - 1 : column);
        for (int64_t x = 0; x < pixels; ++x) means[x * to.bytes + k] = image[x * step];
      }
    }
    const C* image = has_image ? means : nullptr;
    switch (to.bytes) {
      case 1:
        return to_numbers<1>(bytes, t, image, pixels, result);
      case 2:
        return to_numbers<2>(bytes, t, image, pixels * 2, result);
      case 3:
        return to_numbers<3>(bytes, t, image, pixels * 3, result);
      default:
        return to_numbers<4>(bytes, t, image, pixels * 4, result);
    }
  }

  template <int kPeriod>
  void to_numbers(const uint8_t* bytes, int64_t t, const C* image, int64_t count, S* result) const {
    const auto put = [&](int64_t k, int q, int64_t left) {
      const Vec<C> subtracted = image == nullptr ? mean[t][q] : load(image + k, left);
      store(result + k, (load_bytes<C>(bytes + k, left) - subtracted) * scale[t][q], left);
    };
    int64_t k = 0;
    for (; k + kPeriod * kLanes<C> <= count; k += kPeriod * kLanes<C>) {
      for (int q = 0; q < kPeriod; ++q) put(k + q * kLanes<C>, q, kLanes<C>);
    }
    for (int q = 0; k < count; ++q, k += kLanes<C>) put(k, q, count - k);
  }
};

template <class S>
void convert_frames(int64_t begin, int64_t end, void* job) {
  static_cast<const FramesJob<S>*>(job)->run(begin, end);
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
