#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "map_tiles.cuh"
#include "primitives/launch.h"

// Host: tiles for a problem, and the launch.

namespace lrcn_fast::cuda {

// Of shared memory in a block, which every GPU from sm_80 on has. Only windows of LRN over thousands of channels would
// need more.
inline constexpr std::size_t kMostMapBytes = 96 * 1024;

inline MapTiles tiles_without_sizes(const ReluMaxPoolLrnShape& shape, int vector) {
  MapTiles tiles = {};
  tiles.channels_last = shape.channels_last;
  tiles.relu = shape.relu;
  tiles.pools = shape.pools();
  tiles.normalizes = shape.normalizes();
  tiles.lrn_first = shape.starts_from_input();
  tiles.channels = static_cast<int>(shape.channels);
  tiles.height = static_cast<int>(shape.height);
  tiles.width = static_cast<int>(shape.width);
  tiles.pooled_height = static_cast<int>(shape.pooled_height);
  tiles.pooled_width = static_cast<int>(shape.pooled_width);
  tiles.kernel_y = static_cast<int>(shape.kernel_y);
  tiles.kernel_x = static_cast<int>(shape.kernel_x);
  tiles.stride_y = static_cast<int>(shape.stride_y);
  tiles.stride_x = static_cast<int>(shape.stride_x);
  tiles.around = static_cast<int>(std::min(shape.lrn_size / 2, shape.channels - 1));
  tiles.halo = (tiles.around + vector - 1) / vector * vector;
  return tiles;
}

// Tiles of a result of height x width pixels. `elements_of(tiles)` counts what a block keeps in shared memory, of which
// there should be as little as leaves room for several blocks.
template <class ElementsOf>
MapTiles choose_tiles(const ReluMaxPoolLrnShape& shape, int vector, int height, int width, std::size_t element_bytes,
                      ElementsOf elements_of) {
  constexpr std::size_t kPreferredBytes = 24 * 1024;
  MapTiles tiles = tiles_without_sizes(shape, vector);
  // Rows of a contiguous map are read along x.
  tiles.tile_height = std::min(height, shape.channels_last ? 4 : 2);
  tiles.tile_width = std::min(width, shape.channels_last ? 4 : 16);
  tiles.chunk = tiles.channels;
  const auto halve_chunk = [&] { tiles.chunk = (tiles.chunk / 2 + vector - 1) / vector * vector; };
  while (tiles.normalizes && elements_of(tiles) * element_bytes > kPreferredBytes) {
    if (tiles.chunk >= 64 && tiles.chunk > 4 * tiles.halo) {
      halve_chunk();
    } else if (tiles.tile_height > 1) {
      tiles.tile_height /= 2;
    } else if (tiles.tile_width > 1) {
      tiles.tile_width /= 2;
    } else if (tiles.chunk > vector) {
      halve_chunk();
    } else {
      break;
    }
  }
  tiles.tiles_y = (height + tiles.tile_height - 1) / tiles.tile_height;
  tiles.tiles_x = (width + tiles.tile_width - 1) / tiles.tile_width;
  tiles.chunks = (tiles.channels + tiles.chunk - 1) / tiles.chunk;
  return tiles;
}

// A chunk of channels with `halo` more on either side, as far as there are any.
inline std::size_t channels_with(const MapTiles& tiles, int halo) {
  return static_cast<std::size_t>(std::min<std::int64_t>(tiles.channels, std::int64_t{tiles.chunk} + 2 * halo));
}

template <class T, class Params>
Status launch_tiles(void (*kernel)(MapLaunch<T, Params>), const Params& params, const MapTiles& tiles,
                    std::size_t elements, void* stream) {
  constexpr std::int64_t kMostBlocks = 0x7fffffff;
  const ReluMaxPoolLrnShape& shape = params.shape;
  LaunchShape launched_shape;
  launched_shape.threads = 256;
  launched_shape.shared_bytes = tiles.normalizes ? elements * sizeof(Real<T>) : 0;
  const std::int64_t of_frame = static_cast<std::int64_t>(tiles.tiles_y) * tiles.tiles_x;
  if (launched_shape.shared_bytes > kMostMapBytes || of_frame > kMostBlocks / tiles.chunks ||
      shape.frames > kMostBlocks / (of_frame * tiles.chunks)) {
    return Status::kInvalidSize;
  }
  if (shape.frames == 0) return Status::kOk;
  launched_shape.blocks_x = static_cast<unsigned>(shape.frames * of_frame * tiles.chunks);
  MapLaunch<T, Params> launched = {};
  launched.params = params;
  launched.tiles = tiles;
  const double size = static_cast<double>(std::max<std::int64_t>(1, shape.lrn_size));
  launched.lrn.ratio = static_cast<Real<T>>(shape.alpha / size);
  launched.lrn.beta = static_cast<Real<T>>(shape.beta);
  launched.lrn.k = static_cast<Real<T>>(shape.k);
  return launch(kernel, launched_shape, launched, stream);
}

// launcher(element, vector): the type of the elements, and how many of them a thread takes at once, which all maps
// must allow.
template <class Launcher>
Status with_map_vectors(const ReluMaxPoolLrnShape& shape, bool aligned, Launcher&& launcher) {
  constexpr std::int64_t kMostSize = 0x7fffffff;
  if (shape.frames < 0 || shape.channels < 1 || shape.height < 1 || shape.width < 1) return Status::kInvalidSize;
  if (shape.height > kMostSize / shape.width || shape.channels > kMostSize / (shape.height * shape.width)) {
    return Status::kInvalidSize;
  }
  const auto of = [&](auto element) {
    constexpr int kVector = 16 / sizeof(element);
    if (shape.channels_last && aligned && shape.channels % kVector == 0) {
      return launcher(element, std::integral_constant<int, kVector>{});
    }
    return launcher(element, std::integral_constant<int, 1>{});
  };
  switch (shape.dtype) {
    case DType::kFloat32:
      return of(float{});
    case DType::kFloat64:
      return of(double{});
    case DType::kFloat16:
      return of(half_t{});
    case DType::kBFloat16:
      return of(bfloat16_t{});
  }
  return Status::kUnsupportedDType;
}

inline bool are_aligned(std::initializer_list<const void*> maps) {
  return std::all_of(maps.begin(), maps.end(),
                     [](const void* map) { return reinterpret_cast<std::uintptr_t>(map) % 16 == 0; });
}

}  // namespace lrcn_fast::cuda
