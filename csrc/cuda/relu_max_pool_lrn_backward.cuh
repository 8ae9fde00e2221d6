#pragma once

#include "map_launch.cuh"
#include "primitives/barrier.h"

// The backward of relu_max_pool_lrn.h in one launch: a block makes the gradients at a tile of x. Each gathers from the
// windows that hold it, in their order. What LRN sends back to the pooled pixels stays in shared memory.

namespace lrcn_fast::cuda {

template <class T, int kVector>
struct BackwardOfMaps {
  using R = Real<T>;
  using Vectors = MapVectors<T, kVector>;
  using Values = typename Vectors::Values;
  using Launch = MapLaunch<T, ReluMaxPoolLrnBackward>;

  const ReluMaxPoolLrnBackward& p;
  const MapTiles& tiles;
  const LrnConstants<R>& lrn;
  const MapBlock block;

  __device__ explicit BackwardOfMaps(const Launch& launch)
      : p(launch.params), tiles(launch.tiles), lrn(launch.lrn), block(tiles, tiles.height, tiles.width) {}

  __device__ std::int64_t input_offset(const Pixels& pixels, int pixel, int channel) const {
    const int y = pixels.y + pixel / pixels.width, x = pixels.x + pixel % pixels.width;
    return Vectors::offset(tiles, block.frame, channel, y, x, tiles.height, tiles.width);
  }
  __device__ std::int64_t pooled_offset(int channel, int y, int x) const {
    return Vectors::offset(tiles, block.frame, channel, y, x, tiles.pooled_height, tiles.pooled_width);
  }

  // What the windows that hold pixel (y, x) of x send to it. sent(row, column): their gradients.
  template <class Sent>
  __device__ Values gather(int channel, int y, int x, Sent sent) const {
    using Places = Elements<std::uint8_t, kVector>;
    Values sum{};
    const int end_row = end_window(y, tiles.stride_y, tiles.pooled_height);
    const int end_column = end_window(x, tiles.stride_x, tiles.pooled_width);
    for (int row = first_window(y, tiles.kernel_y, tiles.stride_y); row < end_row; ++row) {
      for (int column = first_window(x, tiles.kernel_x, tiles.stride_x); column < end_column; ++column) {
        const int place = (y - row * tiles.stride_y) * tiles.kernel_x + x - column * tiles.stride_x;
        const auto places = load(reinterpret_cast<const Places*>(p.index + pooled_offset(channel, row, column)));
        const Values values = sent(row, column);
#pragma unroll
        for (int e = 0; e < kVector; ++e) sum.at[e] += places.at[e] == place ? values.at[e] : R(0);
      }
    }
    return sum;
  }

  // The gradient of the output, brought back to pixel (y, x) of x or, where nothing pools, as it is.
  __device__ Values sent_to(int channel, int y, int x) const {
    if (!tiles.pools) return Vectors::read(p.grad, pooled_offset(channel, y, x));
    return gather(channel, y, x,
                  [&](int row, int column) { return Vectors::read(p.grad, pooled_offset(channel, row, column)); });
  }

  __device__ void without_lrn() const {
    Vectors::for_each(tiles, block.tile, block.channel, block.channel_end, [&](int pixel, int channel) {
      const std::int64_t offset = input_offset(block.tile, pixel, channel);
      const int y = block.tile.y + pixel / block.tile.width, x = block.tile.x + pixel % block.tile.width;
      Values found = sent_to(channel, y, x);
      if (tiles.relu && !tiles.pools) block_negative(found, Vectors::read(p.values, offset));
      Vectors::write(p.grad_x, offset, found);
    });
  }

  static __device__ void block_negative(Values& found, const Values& values) {
#pragma unroll
    for (int e = 0; e < kVector; ++e) found.at[e] = values.at[e] <= R(0) ? R(0) : found.at[e];
  }

  // The pixels at which LRN acts: the tile, or those whose windows reach into it.
  __device__ Pixels lrn_pixels() const {
    if (tiles.lrn_first) return block.tile;
    const Pixels& tile = block.tile;
    const int y = first_window(tile.y, tiles.kernel_y, tiles.stride_y);
    const int x = first_window(tile.x, tiles.kernel_x, tiles.stride_x);
    return {y, x, end_window(tile.y + tile.height - 1, tiles.stride_y, tiles.pooled_height) - y,
            end_window(tile.x + tile.width - 1, tiles.stride_x, tiles.pooled_width) - x};
  }

  __device__ void with_lrn() const {
    const Pixels pixels = lrn_pixels();
    const int count = pixels.count(), halo = tiles.halo;
    const int from = block.from(halo), to = block.to(halo, tiles.channels);
    const int outer_from = block.from(2 * halo), outer_to = block.to(2 * halo, tiles.channels);
    R* memory = reinterpret_cast<R*>(dynamic_shared());
    const SharedMap<R> values(memory, tiles, outer_from, outer_to, count);
    memory += (outer_to - outer_from) * count;
    const SharedMap<R> spread(memory, tiles, from, to, count);
    memory += (to - from) * count;
    const SharedMap<R> kept(memory, tiles, block.channel, block.channel_end, count);

    Vectors::for_each(tiles, pixels, outer_from, outer_to, [&](int pixel, int channel) {
      const int y = pixels.y + pixel / pixels.width, x = pixels.x + pixel % pixels.width;
      Values found = Vectors::read(
          p.values, tiles.lrn_first ? input_offset(pixels, pixel, channel) : pooled_offset(channel, y, x));
      if (tiles.relu) Vectors::rectify(found);
      values.store_vector(pixel, channel, found);
    });
    block_barrier();
    Vectors::for_each(tiles, pixels, from, to, [&](int pixel, int channel) {
      const int y = pixels.y + pixel / pixels.width, x = pixels.x + pixel % pixels.width;
      const Values sent =
          tiles.lrn_first ? sent_to(channel, y, x) : Vectors::read(p.grad, pooled_offset(channel, y, x));
#pragma unroll
      for (int e = 0; e < kVector; ++e) {
        const R scale = lrn.scale(values, tiles, pixel, channel + e);
        const R direct = sent.at[e] / lrn.denominator(scale);
        spread.store(pixel, channel + e, direct * values.load(pixel, channel + e) / scale);
        if (channel >= block.channel && channel < block.channel_end) kept.store(pixel, channel + e, direct);
      }
    });
    block_barrier();
    Vectors::for_each(tiles, pixels, block.channel, block.channel_end, [&](int pixel, int channel) {
      Values found, read;
#pragma unroll
      for (int e = 0; e < kVector; ++e) {
        read.at[e] = values.load(pixel, channel + e);
        const R around = spread.window_sum(tiles, pixel, channel + e, [](R value) { return value; });
        found.at[e] = kept.load(pixel, channel + e) - R(2) * lrn.ratio * lrn.beta * read.at[e] * around;
      }
      if (!tiles.lrn_first) {
        kept.store_vector(pixel, channel, found);
        return;
      }
      if (tiles.relu) block_negative(found, read);
      Vectors::write(p.grad_x, input_offset(pixels, pixel, channel), found);
    });
    if (tiles.lrn_first) return;
    block_barrier();
    Vectors::for_each(tiles, block.tile, block.channel, block.channel_end, [&](int pixel, int channel) {
      const int y = block.tile.y + pixel / block.tile.width, x = block.tile.x + pixel % block.tile.width;
      const Values found = gather(channel, y, x, [&](int row, int column) {
        const int at = (row - pixels.y) * pixels.width + column - pixels.x;
        Values sent;
#pragma unroll
        for (int e = 0; e < kVector; ++e) sent.at[e] = kept.load(at, channel + e);
        return sent;
      });
      Vectors::write(p.grad_x, input_offset(block.tile, pixel, channel), found);
    });
  }
};

template <class T, int kVector>
__global__ void __launch_bounds__(256, 2)
    relu_max_pool_lrn_backward_kernel(MapLaunch<T, ReluMaxPoolLrnBackward> launch) {
  const BackwardOfMaps<T, kVector> work(launch);
  if (launch.tiles.normalizes) {
    work.with_lrn();
  } else {
    work.without_lrn();
  }
}

inline std::size_t backward_elements(const MapTiles& tiles) {
  int rows = tiles.tile_height, columns = tiles.tile_width;
  if (!tiles.lrn_first) {
    rows = std::min((rows + tiles.kernel_y - 2) / tiles.stride_y + 1, tiles.pooled_height);
    columns = std::min((columns + tiles.kernel_x - 2) / tiles.stride_x + 1, tiles.pooled_width);
  }
  const std::size_t channels =
      channels_with(tiles, 2 * tiles.halo) + channels_with(tiles, tiles.halo) + channels_with(tiles, 0);
  return static_cast<std::size_t>(rows) * columns * channels;
}

inline Status relu_max_pool_lrn_backward(const ReluMaxPoolLrnBackward& params, void* stream) {
  const ReluMaxPoolLrnShape& shape = params.shape;
  const bool aligned = are_aligned({params.grad, params.values, params.index, params.grad_x});
  return with_map_vectors(shape, aligned, [&](auto element, auto vector) {
    using T = decltype(element);
    const MapTiles tiles = choose_tiles(shape, vector, static_cast<int>(shape.height), static_cast<int>(shape.width),
                                        sizeof(Real<T>), backward_elements);
    return launch_tiles(relu_max_pool_lrn_backward_kernel<T, vector>, params, tiles, backward_elements(tiles), stream);
  });
}

}  // namespace lrcn_fast::cuda
