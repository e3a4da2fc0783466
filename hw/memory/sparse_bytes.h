// Storage of a simulated memory: zero until written, and only pages that were
// touched exist.
#pragma once

#include <cstdint>
#include <new>

#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// The host has no room for a memory's addresses: a batch system's limit, mostly.
struct NoAddressSpace : std::bad_alloc {
  explicit NoAddressSpace(std::uint64_t wanted) : bytes(wanted) {}
  std::uint64_t bytes;
};

class SparseBytes {
 public:
  /// With `backed` false there is no storage at all: addresses can be checked,
  /// bytes cannot be touched. NoAddressSpace where they cannot be reserved.
  SparseBytes(std::uint64_t size, bool backed);
  ~SparseBytes();
  SparseBytes(const SparseBytes&) = delete;
  SparseBytes& operator=(const SparseBytes&) = delete;

  bool backed() const { return data_ != nullptr; }
  std::uint64_t size() const { return size_; }
  /// True when [address, address + length) lies inside.
  bool holds(std::uint64_t address, std::uint64_t length) const {
    return length <= size_ && address <= size_ - length;
  }
  /// Throws InvariantError when there is no storage.
  Bytes bytes() const;

 private:
  std::uint8_t* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace quadrille::hw
