#pragma once

#include <cstdint>

#include "primitives/numbers.h"
#include "primitives/shared.h"

// The fragments of the PTX manual (mma.m16n8k16, mma.m16n8k8, ldmatrix). Products are exact; they are added to
// d one by one, k from 0 up, each sum rounded to float. The device adds several at once and truncates inside,
// so results differ by the order of the sum.

namespace lrcn_fast::cuda {

void mma(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], half_t tag);
void mma(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], bfloat16_t tag);
void mma_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);

std::uint32_t to_tf32(float v);

void load_matrix(std::uint32_t (&d)[1], const void* row);
void load_matrix(std::uint32_t (&d)[2], const void* row);
void load_matrix(std::uint32_t (&d)[4], const void* row);
void load_matrix_transposed(std::uint32_t (&d)[1], const void* row);
void load_matrix_transposed(std::uint32_t (&d)[2], const void* row);
void load_matrix_transposed(std::uint32_t (&d)[4], const void* row);

}  // namespace lrcn_fast::cuda
