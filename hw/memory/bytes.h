// A bounds-checked view of a memory's bytes, little endian.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "model/errors.h"

namespace quadrille::hw {

class Bytes {
 public:
  Bytes(std::uint8_t* data, std::uint64_t size) : data_(data), size_(size) {}

  /// Pointer to `count` bytes at `address`; throws InvariantError beyond the end.
  std::uint8_t* at(std::uint64_t address, std::uint64_t count) const {
    if (count > size_ || address > size_ - count) {
      throw InvariantError("memory access of " + std::to_string(count) + " bytes at " +
                           std::to_string(address) + " beyond its " + std::to_string(size_) +
                           " bytes");
    }
    return data_ + address;
  }

  std::int32_t read_i32(std::uint64_t address) const {
    std::int32_t value = 0;
    std::memcpy(&value, at(address, 4), 4);
    return value;
  }
  void write_i32(std::uint64_t address, std::int32_t value) const {
    std::memcpy(at(address, 4), &value, 4);
  }

  std::uint64_t size() const { return size_; }

 private:
  std::uint8_t* data_;
  std::uint64_t size_;
};

}  // namespace quadrille::hw
