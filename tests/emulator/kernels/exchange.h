#pragma once

#include "fault.h"
#include "primitives/barrier.h"
#include "primitives/flags.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/memory.h"
#include "primitives/numbers.h"
#include "primitives/shared.h"

// A recurrence h = tanh(w h) over the blocks of a grid, each of which owns 32 units and needs all of h in every
// step: by flags that say which step a block has written, or by words that carry values and step together.

namespace lrcn_fast::kernels {

using namespace cuda;

struct Exchange {
  const float* w;  // (n, n), n = 32 * blocks
  const float* h0;
  unsigned n, steps;
  float* h;              // by flags: (2, n), step s reads h[s % 2] and writes the other
  std::uint32_t* flags;  // (blocks,) zeros
  Words4* words;         // by words: (3, n / 2) zeros: two values, the number of the step, 0
  float* out;            // (n,)
  Fault fault;
};

__device__ inline float next_value(const Exchange& p, const float* h) {
  const unsigned unit = block_x() * 32 + thread_index();
  float sum = 0.0f;
  for (unsigned j = 0; j < p.n; ++j) sum = multiply_add(load_constant(p.w + unit * p.n + j), load_shared(h + j), sum);
  return tanhf(sum);
}

__device__ inline void write_flag(const Exchange& p, unsigned step) {
  if (thread_index() != 0) return;
  std::uint32_t* flag = p.flags + block_x();
  if (p.fault == Fault::kNoRelease) {
    store_relaxed(flag, step + 1);
  } else if (step % 2 == 0) {
    store_release(flag, step + 1);
  } else {
    // A fence makes a release of a relaxed store.
    if (p.fault != Fault::kNoFence) fence_gpu();
    store_relaxed(flag, step + 1);
  }
}

__global__ void flag_exchange_kernel(Exchange p) {
  const unsigned t = thread_index(), unit = block_x() * 32 + t;
  float* h = reinterpret_cast<float*>(dynamic_shared());
  for (unsigned j = t; j < p.n; j += 32) store_shared(h + j, load_constant(p.h0 + j));
  for (unsigned step = 0; step < p.steps; ++step) {
    block_barrier();
    const float value = next_value(p, h);
    if (p.fault == Fault::kLeavesEarly && step == 1 && block_x() == 0) return;
    if (p.fault == Fault::kFlagFirst) write_flag(p, step);
    float* written = p.h + (step + 1) % 2 * p.n;
    store(written + unit, value);
    block_barrier();
    if (p.fault != Fault::kFlagFirst) write_flag(p, step);
    for (unsigned block = t; block < blocks_x(); block += 32) {
      if (p.fault == Fault::kNoAcquire) {
        while (load_relaxed(p.flags + block) < step + 1) {
        }
      } else if (p.fault == Fault::kPlainPoll) {
        while (load(p.flags + block) < step + 1) {
        }
      } else {
        while (load_acquire(p.flags + block) < step + 1) {
        }
      }
    }
    if (p.fault != Fault::kNoBlockBarrier) block_barrier();
    const float* read = p.fault == Fault::kSwappedBuffers ? p.h + step % 2 * p.n : written;
    for (unsigned j = t; j < p.n; j += 32) {
      store_shared(h + j, p.fault == Fault::kConstantOfWritten ? load_constant(read + j) : load(read + j));
    }
  }
  block_barrier();
  store(p.out + unit, load_shared(h + unit));
}

__device__ inline void publish(const Exchange& p, Words4* word, float first, float second, unsigned step) {
  if (p.fault != Fault::kTornWords) {
    store_words(word, {{bits_as<std::uint32_t>(first), bits_as<std::uint32_t>(second), step, 0}});
    return;
  }
  store_relaxed(&word->word[0], bits_as<std::uint32_t>(first));
  store_relaxed(&word->word[1], bits_as<std::uint32_t>(second));
  store_relaxed(&word->word[2], step);
}

__device__ inline Words4 await(const Exchange& p, const Words4* word, unsigned step) {
  Words4 value = {};
  while (value.word[2] != step) {
    if (p.fault == Fault::kTornWords) {
      for (unsigned i = 3; i-- > 0;) value.word[i] = load_relaxed(&word->word[i]);
    } else {
      value = load_words(word);
    }
  }
  return value;
}

__global__ void word_exchange_kernel(Exchange p) {
  const unsigned t = thread_index(), unit = block_x() * 32 + t, pairs = p.n / 2;
  float* h = reinterpret_cast<float*>(dynamic_shared());
  float* own = h + p.n;
  for (unsigned j = t; j < p.n; j += 32) store_shared(h + j, load_constant(p.h0 + j));
  for (unsigned step = 1; step <= p.steps; ++step) {
    block_barrier();
    store_shared(own + t, next_value(p, h));
    block_barrier();
    // A block that writes step s has read all of step s - 1, so all have read step s - 2: of the three slots
    // none is overwritten that somebody still needs. With one, some is.
    Words4* slot = p.words + (p.fault == Fault::kSwappedBuffers ? 0 : step % 3) * pairs;
    if (t < 16) publish(p, slot + block_x() * 16 + t, load_shared(own + 2 * t), load_shared(own + 2 * t + 1), step);
    for (unsigned i = t; i < pairs; i += 32) {
      const Words4 value = await(p, slot + i, step);
      store_shared(h + 2 * i, bits_as<float>(value.word[0]));
      store_shared(h + 2 * i + 1, bits_as<float>(value.word[1]));
    }
  }
  block_barrier();
  store(p.out + unit, load_shared(h + unit));
}

inline Status exchange(const Exchange& p, void* stream) {
  LaunchShape shape;
  shape.blocks_x = p.n / 32;
  shape.shared_bytes = (p.n + 32) * sizeof(float);
  return launch(p.words == nullptr ? flag_exchange_kernel : word_exchange_kernel, shape, p, stream);
}

}  // namespace lrcn_fast::kernels
