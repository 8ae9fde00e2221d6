#pragma once

#include "map_launch.cuh"
#include "primitives/barrier.h"

// The forward of relu_max_pool_lrn.h in one launch: what LRN reads goes into shared memory, its result to the output,
// or LRN-first into shared memory once more, for the windows.

namespace lrcn_fast::cuda {

// The largest values of a window, with their places.
template <class R, int kVector>
struct LargestOfWindow {
  Elements<R, kVector> values;
  Elements<std::uint8_t, kVector> places;

  // read(y, x): the values at a pixel of x. y and x: the window's first.
  template <class Read>
  __device__ LargestOfWindow(const MapTiles& tiles, int y, int x, Read read) : values(read(y, x)), places{} {
    const int rows = tiles.kernel_y < tiles.height - y ? tiles.kernel_y : tiles.height - y;
    const int columns = tiles.kernel_x < tiles.width - x ? tiles.kernel_x : tiles.width - x;
    for (int row = 0; row < rows; ++row) {
      for (int column = row == 0 ? 1 : 0; column < columns; ++column) {
        const Elements<R, kVector> found = read(y + row, x + column);
#pragma unroll
        for (int e = 0; e < kVector; ++e) {
          if (found.at[e] > values.at[e] || found.at[e] != found.at[e]) {
            values.at[e] = found.at[e];
            places.at[e] = static_cast<std::uint8_t>(row * tiles.kernel_x + column);
          }
        }
      }
    }
  }

  __device__ void rectify() {
#pragma unroll
    for (int e = 0; e < kVector; ++e) {
      if (!(values.at[e] <= R(0))) continue;
      values.at[e] = R(0);
      places.at[e] = static_cast<std::uint8_t>(kBlockedPlace);
    }
  }

  __device__ void store_places(std::uint8_t* index, std::int64_t offset) const {
    if (index != nullptr) store(reinterpret_cast<Elements<std::uint8_t, kVector>*>(index + offset), places);
  }
};

template <class T, int kVector>
struct ForwardOfMaps {
  using R = Real<T>;
  using Vectors = MapVectors<T, kVector>;
  using Values = typename Vectors::Values;
  using Launch = MapLaunch<T, ReluMaxPoolLrnForward>;

  const ReluMaxPoolLrnForward& p;
  const MapTiles& tiles;
  const LrnConstants<R>& lrn;
  const MapBlock block;

  __device__ explicit ForwardOfMaps(const Launch& launch)
      : p(launch.params), tiles(launch.tiles), lrn(launch.lrn), block(tiles, tiles.pooled_height, tiles.pooled_width) {}

  __device__ Values read_x(int channel, int y, int x) const {
    return Vectors::read(p.x, Vectors::offset(tiles, block.frame, channel, y, x, tiles.height, tiles.width));
  }
  __device__ std::int64_t pooled_offset(const Pixels& pixels, int pixel, int channel) const {
    const int y = pixels.y + pixel / pixels.width, x = pixels.x + pixel % pixels.width;
    return Vectors::offset(tiles, block.frame, channel, y, x, tiles.pooled_height, tiles.pooled_width);
  }
  __device__ LargestOfWindow<R, kVector> pool_x(int pixel, int channel) const {
    const int y = (block.tile.y + pixel / block.tile.width) * tiles.stride_y;
    const int x = (block.tile.x + pixel % block.tile.width) * tiles.stride_x;
    LargestOfWindow<R, kVector> best(tiles, y, x, [&](int row, int column) { return read_x(channel, row, column); });
    if (tiles.relu) best.rectify();
    return best;
  }

  __device__ void without_lrn() const {
    Vectors::for_each(tiles, block.tile, block.channel, block.channel_end, [&](int pixel, int channel) {
      const std::int64_t offset = pooled_offset(block.tile, pixel, channel);
      const LargestOfWindow<R, kVector> best = pool_x(pixel, channel);
      Vectors::write(p.output, offset, best.values);
      best.store_places(p.index, offset);
    });
  }

  // The pixels at which LRN acts: the tile, or what its windows hold of x.
  __device__ Pixels lrn_pixels() const {
    if (!tiles.lrn_first) return block.tile;
    Pixels pixels = {block.tile.y * tiles.stride_y, block.tile.x * tiles.stride_x,
                     (block.tile.height - 1) * tiles.stride_y + tiles.kernel_y,
                     (block.tile.width - 1) * tiles.stride_x + tiles.kernel_x};
    if (pixels.height > tiles.height - pixels.y) pixels.height = tiles.height - pixels.y;
    if (pixels.width > tiles.width - pixels.x) pixels.width = tiles.width - pixels.x;
    return pixels;
  }

  __device__ void fill(const SharedMap<R>& values, const Pixels& pixels, int from, int to) const {
    Vectors::for_each(tiles, pixels, from, to, [&](int pixel, int channel) {
      if (tiles.lrn_first) {
        Values found = read_x(channel, pixels.y + pixel / pixels.width, pixels.x + pixel % pixels.width);
        if (tiles.relu) Vectors::rectify(found);
        values.store_vector(pixel, channel, found);
        return;
      }
      const LargestOfWindow<R, kVector> best = pool_x(pixel, channel);
      values.store_vector(pixel, channel, best.values);
      if (channel < block.channel || channel >= block.channel_end) return;
      const std::int64_t offset = pooled_offset(pixels, pixel, channel);
      if (p.pooled != nullptr) Vectors::write(p.pooled, offset, best.values);
      best.store_places(p.index, offset);
    });
  }

  __device__ void with_lrn() const {
    const Pixels pixels = lrn_pixels();
    const int from = block.from(tiles.halo), to = block.to(tiles.halo, tiles.channels);
    R* memory = reinterpret_cast<R*>(dynamic_shared());
    const SharedMap<R> values(memory, tiles, from, to, pixels.count());
    const SharedMap<R> normalized(memory + (to - from) * pixels.count(), tiles, block.channel, block.channel_end,
                                  pixels.count());
    const bool pools_last = tiles.lrn_first && tiles.pools;
    fill(values, pixels, from, to);
    block_barrier();
    Vectors::for_each(tiles, pixels, block.channel, block.channel_end, [&](int pixel, int channel) {
      Values found;
#pragma unroll
      for (int e = 0; e < kVector; ++e) {
        const R scale = lrn.scale(values, tiles, pixel, channel + e);
        found.at[e] = values.load(pixel, channel + e) / lrn.denominator(scale);
      }
      if (pools_last) {
        normalized.store_vector(pixel, channel, found);
      } else {
        Vectors::write(p.output, pooled_offset(pixels, pixel, channel), found);
      }
    });
    if (!pools_last) return;
    block_barrier();
    Vectors::for_each(tiles, block.tile, block.channel, block.channel_end, [&](int pixel, int channel) {
      const int y = (block.tile.y + pixel / block.tile.width) * tiles.stride_y;
      const int x = (block.tile.x + pixel % block.tile.width) * tiles.stride_x;
      const LargestOfWindow<R, kVector> best(tiles, y, x, [&](int row, int column) {
        const int at = (row - pixels.y) * pixels.width + column - pixels.x;
        Values found;
#pragma unroll
        for (int e = 0; e < kVector; ++e) found.at[e] = normalized.load(at, channel + e);
        return found;
      });
      const std::int64_t offset = pooled_offset(block.tile, pixel, channel);
      Vectors::write(p.output, offset, best.values);
      best.store_places(p.index, offset);
    });
  }
};

template <class T, int kVector>
__global__ void __launch_bounds__(256, 2) relu_max_pool_lrn_forward_kernel(MapLaunch<T, ReluMaxPoolLrnForward> launch) {
  const ForwardOfMaps<T, kVector> work(launch);
  if (launch.tiles.normalizes) {
    work.with_lrn();
  } else {
    work.without_lrn();
  }
}

inline std::size_t forward_elements(const MapTiles& tiles) {
  std::size_t pixels = static_cast<std::size_t>(tiles.tile_height) * tiles.tile_width;
  std::size_t channels = channels_with(tiles, tiles.halo);
  if (tiles.lrn_first) {
    const int rows = (tiles.tile_height - 1) * tiles.stride_y + tiles.kernel_y;
    const int columns = (tiles.tile_width - 1) * tiles.stride_x + tiles.kernel_x;
    pixels = static_cast<std::size_t>(std::min(rows, tiles.height)) * std::min(columns, tiles.width);
    if (tiles.pools) channels += channels_with(tiles, 0);
  }
  return pixels * channels;
}

inline Status relu_max_pool_lrn_forward(const ReluMaxPoolLrnForward& params, void* stream) {
  const ReluMaxPoolLrnShape& shape = params.shape;
  const bool aligned = are_aligned({params.x, params.output, params.pooled, params.index});
  return with_map_vectors(shape, aligned, [&](auto element, auto vector) {
    using T = decltype(element);
    const MapTiles tiles = choose_tiles(shape, vector, static_cast<int>(shape.pooled_height),
                                        static_cast<int>(shape.pooled_width), sizeof(Real<T>), forward_elements);
    return launch_tiles(relu_max_pool_lrn_forward_kernel<T, vector>, params, tiles, forward_elements(tiles), stream);
  });
}

}  // namespace lrcn_fast::cuda
