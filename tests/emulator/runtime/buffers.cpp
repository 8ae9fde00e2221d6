#include "emulator/buffers.h"

#include <cstdint>
#include <cstring>

#include "shadow.h"

namespace lrcn_fast::emulator {
namespace {

constexpr std::size_t kAlignment = 256;  // of cudaMalloc
constexpr unsigned char kPoison[] = {0xf7, 0x7f};

}  // namespace

struct Buffers::Entry {
  Buffer buffer;
  unsigned char* host = nullptr;
  std::vector<Run> runs;

  Entry(const std::string& name, std::size_t bytes, bool writable) {
    buffer.name = name;
    buffer.size = bytes;
    buffer.writable = writable;
    buffer.storage.resize(bytes + kAlignment);
    const auto address = reinterpret_cast<std::uintptr_t>(buffer.storage.data());
    buffer.data = buffer.storage.data() + (kAlignment - address % kAlignment) % kAlignment;
    add_buffer(&buffer);
  }
  ~Entry() { remove_buffer(&buffer); }
};

Buffers::Buffers() = default;
Buffers::~Buffers() = default;

void* Buffers::add(const std::string& name, void* data, std::size_t bytes, const std::vector<Run>& runs,
                   bool writable) {
  entries_.push_back(std::make_unique<Entry>(name, bytes, writable));
  Entry& entry = *entries_.back();
  entry.host = static_cast<unsigned char*>(data);
  entry.runs = runs;
  std::size_t held = 0;
  for (const Run& run : runs) held += run.bytes;
  if (held < bytes) entry.buffer.holes.assign(bytes, true);
  for (const Run& run : runs) {
    std::memcpy(entry.buffer.data + run.offset, entry.host + run.offset, run.bytes);
    for (std::size_t i = run.offset; held < bytes && i < run.offset + run.bytes; ++i) entry.buffer.holes[i] = false;
  }
  return entry.buffer.data;
}

void* Buffers::scratch(const std::string& name, std::size_t bytes) {
  entries_.push_back(std::make_unique<Entry>(name, bytes, true));
  unsigned char* data = entries_.back()->buffer.data;
  for (std::size_t i = 0; i < bytes; ++i) data[i] = kPoison[i % 2];
  return data;
}

void* Buffers::zeros(const std::string& name, std::size_t bytes) {
  entries_.push_back(std::make_unique<Entry>(name, bytes, true));
  return entries_.back()->buffer.data;
}

void Buffers::copy_back() const {
  for (const auto& entry : entries_) {
    if (!entry->buffer.writable || entry->host == nullptr) continue;
    for (const Run& run : entry->runs)
      std::memcpy(entry->host + run.offset, entry->buffer.data + run.offset, run.bytes);
  }
}

}  // namespace lrcn_fast::emulator
