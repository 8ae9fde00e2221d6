#pragma once

#include <cstdint>

#include "frame_window.cuh"
#include "lrcn_fast/frames_to_input.h"
#include "numeric.cuh"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/words.h"

// The kernel of frames_to_input.h: a thread makes 16 neighbours of the result. Bound by memory.

namespace lrcn_fast::cuda {

template <class T>
struct FramesLaunch {
  static constexpr int kElements = 16;  // of a thread

  FramesToInput params;
  std::int64_t elements;  // of the result
  unsigned elements_of_frame;
  bool in_order;  // neighbours in a row of the result are neighbours in the frame, where that is not mirrored
  Real<T> mean[kMostFrameChannels], scale[kMostFrameChannels];
};

// An element of the result, and the pixel that it is made of.
template <class T>
class FramesCursor {
 public:
  __device__ FramesCursor(const FramesLaunch<T>& launch, std::int64_t element)
      : launch_(launch), p_(launch.params), frame_(element / launch.elements_of_frame) {
    auto rest = static_cast<unsigned>(element - frame_ * launch.elements_of_frame);
    const auto channels = static_cast<unsigned>(p_.channels), width = static_cast<unsigned>(p_.width);
    if (p_.channels_last) {
      channel_ = static_cast<int>(rest % channels);
      rest /= channels;
    }
    x_ = static_cast<int>(rest % width);
    rest /= width;
    const auto height = static_cast<unsigned>(p_.height);
    y_ = static_cast<int>(rest % height);
    if (!p_.channels_last) channel_ = static_cast<int>(rest / height);
    window_ = FrameWindow(p_, frame_);
  }

  __device__ const std::uint8_t* pixel() const {
    return p_.pixels + frame_ * p_.frame_stride + row() * p_.row_stride + column() * p_.column_stride +
           p_.source[channel_] * p_.channel_stride;
  }

  // Whether the pixels of `count` elements from here on lie side by side.
  __device__ bool are_neighbours(int count) const {
    const int left = p_.channels_last ? static_cast<int>(p_.width - x_) * static_cast<int>(p_.channels) - channel_
                                      : static_cast<int>(p_.width - x_);
    return launch_.in_order && !window_.mirrored && count <= left;
  }

  __device__ T value(std::uint8_t pixel) const {
    if (window_.mirrored && channel_ == p_.inverted) pixel = static_cast<std::uint8_t>(255 - pixel);
    Real<T> mean = launch_.mean[channel_];
    if (p_.mean_image != nullptr) {
      mean = load_constant(static_cast<const Real<T>*>(p_.mean_image) + channel_ * p_.mean_channel_stride +
                           row() * p_.mean_row_stride + column() * p_.mean_column_stride);
    }
    return to_storage<T>((static_cast<Real<T>>(pixel) - mean) * launch_.scale[channel_]);
  }

  __device__ void advance() {
    if (p_.channels_last) {
      if (++channel_ < p_.channels) return;
      channel_ = 0;
    }
    if (++x_ < p_.width) return;
    x_ = 0;
    if (++y_ < p_.height) return;
    y_ = 0;
    if (!p_.channels_last) {
      if (++channel_ < p_.channels) return;
      channel_ = 0;
    }
    if (++frame_ < p_.frames) window_ = FrameWindow(p_, frame_);
  }

 private:
  __device__ std::int64_t row() const { return window_.top + y_; }
  __device__ std::int64_t column() const { return window_.column(p_, x_); }

  const FramesLaunch<T>& launch_;
  const FramesToInput& p_;
  std::int64_t frame_;
  int channel_, y_, x_;
  FrameWindow window_;
};

template <class T>
__global__ void frames_to_input_kernel(FramesLaunch<T> launch) {
  constexpr int kElements = FramesLaunch<T>::kElements, kOfWord = 16 / sizeof(T);
  struct Pixels {
    std::uint8_t at[kElements];
  };
  struct Word {
    T at[kOfWord];
  };
  const std::int64_t first = (static_cast<std::int64_t>(block_x()) * thread_count() + thread_index()) * kElements;
  const std::int64_t left = launch.elements - first;
  if (left <= 0) return;

  FramesCursor<T> cursor(launch, first);
  const std::uint8_t* start = cursor.pixel();
  const bool in_one_word = cursor.are_neighbours(kElements) && reinterpret_cast<std::uintptr_t>(start) % 16 == 0;
  Pixels pixels{};
  if (in_one_word) pixels = bits_as<Pixels>(load_constant(reinterpret_cast<const Words4*>(start)));
  Word words[kElements / kOfWord];
#pragma unroll
  for (int e = 0; e < kElements; ++e) {
    if (e >= left) break;
    words[e / kOfWord].at[e % kOfWord] = cursor.value(in_one_word ? pixels.at[e] : load_constant(cursor.pixel()));
    cursor.advance();
  }
  T* result = static_cast<T*>(launch.params.input) + first;
#pragma unroll
  for (int w = 0; w < kElements / kOfWord; ++w) {
    if ((w + 1) * kOfWord <= left) {
      store(reinterpret_cast<Words4*>(result) + w, bits_as<Words4>(words[w]));
      continue;
    }
#pragma unroll
    for (int e = 0; e < kOfWord; ++e) {
      if (w * kOfWord + e < left) store(result + w * kOfWord + e, words[w].at[e]);
    }
  }
}

template <class T>
Status launch_frames_to_input(const FramesToInput& params, void* stream) {
  constexpr std::int64_t kMost = 0x7fffffff;
  constexpr unsigned kThreads = 128;
  const bool sizes = params.frames >= 0 && params.channels >= 1 && params.channels <= kMostFrameChannels &&
                     params.height >= 1 && params.width >= 1 && params.height <= kMost && params.width <= kMost;
  if (!sizes || params.height * params.width > kMost / params.channels) return Status::kInvalidSize;
  if (params.frames == 0) return Status::kOk;

  FramesLaunch<T> launched = {};
  launched.params = params;
  launched.elements_of_frame = static_cast<unsigned>(params.channels * params.height * params.width);
  launched.elements = params.frames * launched.elements_of_frame;
  launched.in_order = params.column_stride == (params.channels_last ? params.channels : 1) &&
                      (!params.channels_last || params.channels == 1 || params.channel_stride == 1);
  for (int channel = 0; channel < params.channels; ++channel) {
    launched.in_order = launched.in_order && (!params.channels_last || params.source[channel] == channel);
    launched.mean[channel] = static_cast<Real<T>>(params.mean[channel]);
    launched.scale[channel] = static_cast<Real<T>>(params.scale[channel]);
  }
  constexpr std::int64_t kElementsOfBlock = kThreads * FramesLaunch<T>::kElements;
  const std::int64_t blocks = (launched.elements + kElementsOfBlock - 1) / kElementsOfBlock;
  if (blocks > kMost) return Status::kInvalidSize;
  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>(blocks);
  shape.threads = kThreads;
  return launch(frames_to_input_kernel<T>, shape, launched, stream);
}

inline Status frames_to_input(const FramesToInput& params, void* stream) {
  switch (params.dtype) {
    case DType::kFloat32:
      return launch_frames_to_input<float>(params, stream);
    case DType::kFloat64:
      return launch_frames_to_input<double>(params, stream);
    case DType::kFloat16:
      return launch_frames_to_input<half_t>(params, stream);
    case DType::kBFloat16:
      return launch_frames_to_input<bfloat16_t>(params, stream);
  }
  return Status::kUnsupportedDType;
}

}  // namespace lrcn_fast::cuda
