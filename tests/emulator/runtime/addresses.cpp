#include <algorithm>

#include "state.h"

// The addresses of a launch: the buffers of its call, and the shared memory of its blocks.

namespace lrcn_fast::emulator {
namespace {

std::vector<Buffer*> buffers;

std::string bytes_of(unsigned bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

bool holds(const unsigned char* data, std::size_t size, const void* p) {
  const auto* address = static_cast<const unsigned char*>(p);
  return address >= data && address < data + size;
}

// The buffer that a bad address was most likely meant for.
std::string nearest_buffer(const void* p) {
  constexpr std::ptrdiff_t kNear = 1 << 20;
  const auto address = reinterpret_cast<std::intptr_t>(p);
  std::ptrdiff_t best = kNear;
  std::string text = "no buffer of this call is near";
  if (p == nullptr) return "null";
  for (const Buffer* buffer : buffers) {
    const auto begin = reinterpret_cast<std::intptr_t>(buffer->data);
    const auto end = begin + static_cast<std::intptr_t>(buffer->size);
    const std::ptrdiff_t distance = address >= end ? address - end : begin - address;
    if (distance >= best) continue;
    best = distance;
    text = std::to_string(distance) + (address >= end ? " bytes past the end" : " bytes before the start") +
           " of buffer '" + buffer->name + "' (" + std::to_string(buffer->size) + " bytes)";
  }
  return text;
}

// Copies in bulk are aligned to 16 bytes, whatever their size; all others to their size.
unsigned alignment(unsigned bytes) { return bytes > 16 ? 16 : bytes; }

[[noreturn]] void out_of_bounds(const char* what, unsigned bytes, const void* p, const std::string& why) {
  fail(std::string("out of bounds: global ") + what + " of " + bytes_of(bytes) + " at " + describe(p) + why);
}

Buffer& buffer_at(const void* p, unsigned bytes, const char* what) {
  const auto found = std::find_if(buffers.begin(), buffers.end(),
                                  [p](const Buffer* buffer) { return holds(buffer->data, buffer->size, p); });
  if (found == buffers.end()) out_of_bounds(what, bytes, p, "");
  Buffer& buffer = **found;
  const std::size_t offset = static_cast<std::size_t>(static_cast<const unsigned char*>(p) - buffer.data);
  if (offset + bytes > buffer.size) {
    out_of_bounds(what, bytes, p, ", which has " + std::to_string(buffer.size) + " bytes");
  }
  for (std::size_t i = offset; !buffer.holes.empty() && i < offset + bytes; ++i) {
    if (buffer.holes[i]) out_of_bounds(what, bytes, p, ", between the rows of the array");
  }
  return buffer;
}

// Whether a launch that may still run wrote any of the bytes.
bool written_before(const Buffer& buffer, const void* p, unsigned bytes) {
  const std::size_t offset = static_cast<std::size_t>(static_cast<const unsigned char*>(p) - buffer.data);
  for (std::size_t i = offset / 2; !buffer.written_before.empty() && i <= (offset + bytes - 1) / 2; ++i) {
    if (buffer.written_before[i]) return true;
  }
  return false;
}

}  // namespace

void check_alignment(const void* p, unsigned bytes, const char* what) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  if ((address & (bytes - 1)) != 0) {
    fail(std::string("misaligned ") + what + " of " + bytes_of(bytes) + " at " + describe(p) + ": the address is " +
         std::to_string(address % bytes) + " past a multiple of " + std::to_string(bytes));
  }
}

void add_buffer(Buffer* buffer) { buffers.push_back(buffer); }

void remove_buffer(Buffer* buffer) { buffers.erase(std::find(buffers.begin(), buffers.end(), buffer)); }

void begin_buffers(bool overlaps) {
  for (Buffer* buffer : buffers) {
    if (!buffer->writable) continue;
    if (!overlaps) buffer->written_before.clear();
    if (overlaps && buffer->shadow != nullptr) {
      const std::size_t cells = (buffer->size + 1) / 2;
      buffer->written_before.resize(cells);
      for (std::size_t i = 0; i < cells; ++i) {
        if (buffer->shadow->at(2 * i)->writer != 0) buffer->written_before[i] = true;
      }
    }
    buffer->shadow = std::make_unique<Shadow>(buffer->size);
  }
}

std::string describe(const void* p) {
  for (const Buffer* buffer : buffers) {
    if (!holds(buffer->data, buffer->size, p)) continue;
    return "global buffer '" + buffer->name + "' byte " +
           std::to_string(static_cast<const unsigned char*>(p) - buffer->data);
  }
  for (std::size_t b = 0; launch != nullptr && b < launch->blocks.size(); ++b) {
    const Block& block = launch->blocks[b];
    if (!holds(block.shared, launch->shape.shared_bytes, p)) continue;
    return "shared memory of block " + std::to_string(b) + " byte " +
           std::to_string(static_cast<const unsigned char*>(p) - block.shared);
  }
  return "an address that is neither in a global buffer nor in shared memory (" + nearest_buffer(p) + ")";
}

Target global_target(const void* p, unsigned bytes, const char* what, Intent intent) {
  Buffer& buffer = buffer_at(p, bytes, what);
  const bool power_of_two = (bytes & (bytes - 1)) == 0;
  if (power_of_two) check_alignment(p, alignment(bytes), what);
  if (intent == Intent::kWrite && !buffer.writable)
    fail(std::string("global ") + what + " to read-only " + describe(p));
  // What nobody writes while launches overlap may be read at once.
  if (running != nullptr && launch->shape.overlaps_previous && !running->waited_for_previous &&
      (intent != Intent::kReadConstant || written_before(buffer, p, bytes))) {
    fail(std::string("global ") + what + " of " + describe(p) +
         (intent == Intent::kReadConstant ? ", which a launch before wrote," : "") +
         " before wait_for_previous_launch, in a launch that overlaps the previous one");
  }
  auto* data = static_cast<unsigned char*>(const_cast<void*>(p));
  // Nobody writes to a buffer that is read-only, so nothing needs an order there.
  Cell* cells = buffer.writable ? buffer.shadow->at(static_cast<std::size_t>(data - buffer.data)) : nullptr;
  return {data, cells, bytes};
}

Target shared_target(const void* p, unsigned rank, unsigned bytes, const char* what) {
  const std::size_t size = launch->shape.shared_bytes;
  const auto* address = static_cast<const unsigned char*>(p);
  const Block& own = launch->blocks[running->block];
  if (!holds(own.shared, size, p) || address + bytes > own.shared + size) {
    const std::ptrdiff_t offset = address - own.shared;
    const bool near = offset > -(1 << 20) && offset < (1 << 20);
    fail(std::string("out of bounds: shared ") + what + " of " + bytes_of(bytes) + " at " +
         (near ? "byte " + std::to_string(offset) : describe(p)) + "; the block has " + std::to_string(size) +
         " bytes of shared memory");
  }
  check_alignment(p, alignment(bytes), what);
  Block& block = block_of(rank);
  if (block.ended == launch->shape.threads) {
    fail(std::string("shared ") + what + " in block " + std::to_string(rank) +
         " of the cluster, which has ended: its shared memory is gone");
  }
  if (&block != &own && !running->known->knows_of_block(block.first / launch->shape.threads)) {
    fail(std::string("shared ") + what + " in block " + std::to_string(rank) +
         " of the cluster before anything shows that it has begun: a cluster barrier is missing");
  }
  const std::size_t offset = static_cast<std::size_t>(address - own.shared);
  return {block.shared + offset, block.shadow.at(offset), bytes};
}

}  // namespace lrcn_fast::emulator
