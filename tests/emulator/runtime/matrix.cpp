#include "primitives/matrix.h"

#include <cstring>

namespace lrcn_fast::cuda {
namespace {

struct Fragments {
  float* d;
  const std::uint32_t* a;
  const std::uint32_t* b;
};

float tf32(std::uint32_t bits) { return bits_as<float>(bits & 0xffffe000u); }

template <class T>
float element(std::uint32_t pair, unsigned which) {
  return to_real(T{static_cast<std::uint16_t>(pair >> (16 * which))});
}

template <unsigned kDepth>
struct Tile {
  float a[16][kDepth];
  float b[kDepth][8];

  void multiply(void* const* lanes) const {
    float d[16][8];
    for_each(lanes, [&](float& own, unsigned row, unsigned column) { d[row][column] = own; });
    // All sums advance together, so that none waits for another.
    for (unsigned k = 0; k < kDepth; ++k) {
      for (unsigned row = 0; row < 16; ++row) {
        for (unsigned column = 0; column < 8; ++column) {
          // The product is exact in double.
          d[row][column] = static_cast<float>(d[row][column] + static_cast<double>(a[row][k]) * b[k][column]);
        }
      }
    }
    for_each(lanes, [&](float& own, unsigned row, unsigned column) { own = d[row][column]; });
  }

  template <class Body>
  static void for_each(void* const* lanes, Body body) {
    for (unsigned lane = 0; lane < 32; ++lane) {
      float* own = static_cast<const Fragments*>(lanes[lane])->d;
      for (unsigned i = 0; i < 4; ++i) body(own[i], lane / 4 + 8 * (i / 2), 2 * (lane % 4) + i % 2);
    }
  }
};

template <class T>
void multiply_16(void* const* lanes) {
  Tile<16> tile;
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto& own = *static_cast<const Fragments*>(lanes[lane]);
    const unsigned group = lane / 4, member = lane % 4;
    for (unsigned i = 0; i < 8; ++i) {
      // Registers 0 and 2 hold row `group`, 1 and 3 the row 8 further down; 2 and 3 the columns from 8 on.
      tile.a[group + 8 * (i / 2 % 2)][2 * member + i % 2 + 8 * (i / 4)] = element<T>(own.a[i / 2], i % 2);
    }
    for (unsigned i = 0; i < 4; ++i) {
      tile.b[2 * member + i % 2 + 8 * (i / 2)][group] = element<T>(own.b[i / 2], i % 2);
    }
  }
  tile.multiply(lanes);
}

void multiply_8(void* const* lanes) {
  Tile<8> tile;
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto& own = *static_cast<const Fragments*>(lanes[lane]);
    const unsigned group = lane / 4, member = lane % 4;
    for (unsigned i = 0; i < 4; ++i) tile.a[group + 8 * (i % 2)][member + 4 * (i / 2)] = tf32(own.a[i]);
    for (unsigned i = 0; i < 2; ++i) tile.b[member + 4 * i][group] = tf32(own.b[i]);
  }
  tile.multiply(lanes);
}

struct Rows {
  Words4 row;  // 8 elements of 16 bits
  std::uint32_t* d;
};

std::uint32_t element_of(void* const* lanes, unsigned matrix, unsigned row, unsigned column) {
  const Words4& words = static_cast<const Rows*>(lanes[8 * matrix + row])->row;
  return words.word[column / 2] >> (16 * (column % 2)) & 0xffffu;
}

template <unsigned kMatrices, bool kTransposed>
void distribute(void* const* lanes) {
  for (unsigned lane = 0; lane < 32; ++lane) {
    std::uint32_t* d = static_cast<const Rows*>(lanes[lane])->d;
    for (unsigned m = 0; m < kMatrices; ++m) {
      const unsigned i = lane / 4, j = 2 * (lane % 4);
      const std::uint32_t low = kTransposed ? element_of(lanes, m, j, i) : element_of(lanes, m, i, j);
      const std::uint32_t high = kTransposed ? element_of(lanes, m, j + 1, i) : element_of(lanes, m, i, j + 1);
      d[m] = low | high << 16;
    }
  }
}

template <unsigned kMatrices, bool kTransposed>
void load_rows(std::uint32_t* d, const void* row) {
  Rows operand = {{}, d};
  const emulator::Place& own = emulator::place();
  if (own.thread % 32 < 8 * kMatrices) emulator::load_shared(row, own.rank, &operand.row, sizeof(operand.row));
  emulator::meet(kTransposed ? "load_matrix_transposed" : "load_matrix", &operand, distribute<kMatrices, kTransposed>);
}

}  // namespace

void mma(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], half_t) {
  Fragments operand = {d, a, b};
  emulator::meet("mma", &operand, multiply_16<half_t>);
}

void mma(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], bfloat16_t) {
  Fragments operand = {d, a, b};
  emulator::meet("mma", &operand, multiply_16<bfloat16_t>);
}

void mma_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  Fragments operand = {d, a, b};
  emulator::meet("mma_tf32", &operand, multiply_8);
}

std::uint32_t to_tf32(float v) {
  const auto bits = bits_as<std::uint32_t>(v);
  // Half of the lowest bit that stays is added to the magnitude; a NaN or an infinity stays what it is.
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
  return (bits + 0x1000u) & 0xffffe000u;
}

void load_matrix(std::uint32_t (&d)[1], const void* row) { load_rows<1, false>(d, row); }
void load_matrix(std::uint32_t (&d)[2], const void* row) { load_rows<2, false>(d, row); }
void load_matrix(std::uint32_t (&d)[4], const void* row) { load_rows<4, false>(d, row); }
void load_matrix_transposed(std::uint32_t (&d)[1], const void* row) { load_rows<1, true>(d, row); }
void load_matrix_transposed(std::uint32_t (&d)[2], const void* row) { load_rows<2, true>(d, row); }
void load_matrix_transposed(std::uint32_t (&d)[4], const void* row) { load_rows<4, true>(d, row); }

}  // namespace lrcn_fast::cuda
