#pragma once

#include <cstdint>

#include "lrcn_fast/relu_max_pool_lrn.h"
#include "numeric.cuh"
#include "primitives/ids.h"
#include "primitives/shared.h"

// How the kernels of relu_max_pool_lrn.h cut a batch of maps: a block makes a tile of pixels of the result, in a chunk
// of the channels. A thread takes kVector neighbours of a channels-last map at once: 16 bytes, or one element.

namespace lrcn_fast::cuda {

// A rectangle of pixels.
struct Pixels {
  int y, x, height, width;

  __host__ __device__ int count() const { return height * width; }
};

struct MapTiles {
  bool channels_last, relu, pools, normalizes;
  bool lrn_first;  // LRN acts at the pixels of x, also where nothing pools
  int channels, height, width, pooled_height, pooled_width;
  int kernel_y, kernel_x, stride_y, stride_x;
  int around;  // channels on either side in a window of LRN
  int halo;    // the same in whole vectors

  int tile_height, tile_width;  // pixels of the result
  int chunk;                    // channels of a block
  int tiles_y, tiles_x, chunks;
};

// Of the windows that hold a row or column, the first, and the one after the last.
__host__ __device__ inline int first_window(int at, int kernel, int stride) {
  return at < kernel ? 0 : (at - kernel) / stride + 1;
}
__host__ __device__ inline int end_window(int at, int stride, int count) {
  return at / stride + 1 < count ? at / stride + 1 : count;
}

// One block's share.
struct MapBlock {
  std::int64_t frame;
  Pixels tile;
  int channel, channel_end;

  __device__ MapBlock(const MapTiles& tiles, int height, int width) {
    std::int64_t rest = block_x();
    channel = static_cast<int>(rest % tiles.chunks) * tiles.chunk;
    rest /= tiles.chunks;
    tile.x = static_cast<int>(rest % tiles.tiles_x) * tiles.tile_width;
    rest /= tiles.tiles_x;
    tile.y = static_cast<int>(rest % tiles.tiles_y) * tiles.tile_height;
    frame = rest / tiles.tiles_y;
    channel_end = channel + tiles.chunk < tiles.channels ? channel + tiles.chunk : tiles.channels;
    tile.height = tiles.tile_height < height - tile.y ? tiles.tile_height : height - tile.y;
    tile.width = tiles.tile_width < width - tile.x ? tiles.tile_width : width - tile.x;
  }

  // The block's channels and `halo` more on either side.
  __device__ int from(int halo) const { return channel > halo ? channel - halo : 0; }
  __device__ int to(int halo, int channels) const {
    return channel_end + halo < channels ? channel_end + halo : channels;
  }
};

template <class T, int kVector>
struct Elements {
  T at[kVector];
};

template <class T, int kVector>
struct MapVectors {
  using R = Real<T>;
  using Values = Elements<R, kVector>;

  // Element (frame, channel, y, x) of a map in global memory.
  static __device__ std::int64_t offset(const MapTiles& tiles, std::int64_t frame, int channel, int y, int x,
                                        int height, int width) {
    if (tiles.channels_last) return ((frame * height + y) * width + x) * tiles.channels + channel;
    return ((frame * tiles.channels + channel) * height + y) * width + x;
  }

  static __device__ Values read(const void* map, std::int64_t offset) {
    using Stored = Elements<T, kVector>;
    const Stored stored = load(reinterpret_cast<const Stored*>(static_cast<const T*>(map) + offset));
    Values values;
#pragma unroll
    for (int e = 0; e < kVector; ++e) values.at[e] = to_real(stored.at[e]);
    return values;
  }

  static __device__ void write(void* map, std::int64_t offset, const Values& values) {
    using Stored = Elements<T, kVector>;
    Stored stored;
#pragma unroll
    for (int e = 0; e < kVector; ++e) stored.at[e] = to_storage<T>(values.at[e]);
    store(reinterpret_cast<Stored*>(static_cast<T*>(map) + offset), stored);
  }

  static __device__ void rectify(Values& values) {
#pragma unroll
    for (int e = 0; e < kVector; ++e) values.at[e] = values.at[e] <= R(0) ? R(0) : values.at[e];
  }

  // visit(pixel, channel) for every pixel of a rectangle and vector of the channels from `from` to `to`, dealt out
  // to the threads so that those of a warp are neighbours in memory.
  template <class Visit>
  static __device__ void for_each(const MapTiles& tiles, const Pixels& pixels, int from, int to, Visit visit) {
    const int vectors = (to - from) / kVector, count = pixels.count() * vectors;
    for (int item = static_cast<int>(thread_index()); item < count; item += static_cast<int>(thread_count())) {
      const int fast = tiles.channels_last ? vectors : pixels.count();
      const int inner = item % fast, outer = item / fast;
      visit(tiles.channels_last ? outer : inner, from + (tiles.channels_last ? inner : outer) * kVector);
    }
  }
};

// A map of a block in shared memory: the channels from `from` on at the pixels of a rectangle.
template <class R>
struct SharedMap {
  R* first;
  int from, channel_step, pixel_step;

  __device__ SharedMap(R* memory, const MapTiles& tiles, int from, int to, int pixels)
      : first(memory),
        from(from),
        channel_step(tiles.channels_last ? 1 : pixels),
        pixel_step(tiles.channels_last ? to - from : 1) {}

  __device__ R* at(int pixel, int channel) const {
    return first + pixel * pixel_step + (channel - from) * channel_step;
  }
  __device__ R load(int pixel, int channel) const { return load_shared(at(pixel, channel)); }
  __device__ void store(int pixel, int channel, R value) const { store_shared(at(pixel, channel), value); }

  template <int kVector>
  __device__ void store_vector(int pixel, int channel, const Elements<R, kVector>& values) const {
#pragma unroll
    for (int e = 0; e < kVector; ++e) store(pixel, channel + e, values.at[e]);
  }

  // Over the window of LRN: the sum of what `of` makes of the values.
  template <class Of>
  __device__ R window_sum(const MapTiles& tiles, int pixel, int channel, Of of) const {
    const int begin = channel > tiles.around ? channel - tiles.around : 0;
    const int end = channel + tiles.around < tiles.channels ? channel + tiles.around + 1 : tiles.channels;
    R sum = 0;
    for (int c = begin; c < end; ++c) sum += of(load(pixel, c));
    return sum;
  }
};

template <class R>
struct LrnConstants {
  R ratio, beta, k;  // ratio: alpha / lrn_size

  __device__ R scale(const SharedMap<R>& values, const MapTiles& tiles, int pixel, int channel) const {
    return k + ratio * values.window_sum(tiles, pixel, channel, [](R value) { return value * value; });
  }
  // scale^beta. Two square roots are exact and cost a fraction of any power.
  __device__ R denominator(R scale) const;
};

template <>
__device__ __forceinline__ float LrnConstants<float>::denominator(float scale) const {
  if (beta != 0.75f) return powf(scale, beta);
  const float half = sqrtf(scale);
  return half * sqrtf(half);
}
template <>
__device__ __forceinline__ double LrnConstants<double>::denominator(double scale) const {
  if (beta != 0.75) return pow(scale, beta);
  const double half = sqrt(scale);
  return half * sqrt(half);
}

template <class T, class Params>
struct MapLaunch {
  Params params;
  MapTiles tiles;
  LrnConstants<Real<T>> lrn;
};

}  // namespace lrcn_fast::cuda
