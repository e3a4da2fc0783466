// A bounds-checked view of a memory's bytes, little endian.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "model/errors.h"

namespace quadrille::hw {

/// Bytes that a data path has moved, counted where it moved them.
struct MovedBytes {
  std::int64_t read = 0;     ///< Out of the memory.
  std::int64_t written = 0;  ///< Into it.
  std::int64_t cells = 0;    ///< Into cells of the CIM array.
};

class Bytes {
 public:
  Bytes(std::uint8_t* data, std::uint64_t size) : data_(data), size_(size) {}

  /// The same memory, whose read() and write() add to `moved`, which must outlive it.
  Bytes counting(MovedBytes& moved) const {
    Bytes counted = *this;
    counted.moved_ = &moved;
    return counted;
  }

  // What an engine's tile data path reads and writes, as often as its streams do.
  const std::uint8_t* read(std::uint64_t address, std::uint64_t count) const {
    if (moved_ != nullptr) moved_->read += static_cast<std::int64_t>(count);
    return at(address, count);
  }
  std::uint8_t* write(std::uint64_t address, std::uint64_t count) const {
    if (moved_ != nullptr) moved_->written += static_cast<std::int64_t>(count);
    return at(address, count);
  }
  /// `rows` rows of `row_bytes` bytes, `pitch` apart: what lies between is not moved.
  const std::uint8_t* read_rows(std::uint64_t address, std::uint64_t rows, std::uint64_t row_bytes,
                                std::uint64_t pitch) const {
    if (moved_ != nullptr) moved_->read += static_cast<std::int64_t>(rows * row_bytes);
    return at(address, (rows - 1) * pitch + row_bytes);
  }
  std::uint8_t* write_rows(std::uint64_t address, std::uint64_t rows, std::uint64_t row_bytes,
                           std::uint64_t pitch) const {
    if (moved_ != nullptr) moved_->written += static_cast<std::int64_t>(rows * row_bytes);
    return at(address, (rows - 1) * pitch + row_bytes);
  }
  /// Bytes that were put into cells of the CIM array.
  void into_cells(std::uint64_t count) const {
    if (moved_ != nullptr) moved_->cells += static_cast<std::int64_t>(count);
  }

  /// Pointer to `count` bytes at `address`, not counted; throws InvariantError beyond
  /// the end.
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
    std::memcpy(&value, read(address, 4), 4);
    return value;
  }
  void write_i32(std::uint64_t address, std::int32_t value) const {
    std::memcpy(write(address, 4), &value, 4);
  }

  std::uint64_t size() const { return size_; }

 private:
  std::uint8_t* data_;
  std::uint64_t size_;
  MovedBytes* moved_ = nullptr;
};

}  // namespace quadrille::hw
