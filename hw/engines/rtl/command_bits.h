// A command as an engine's RTL takes it: packed into bits.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "model/errors.h"

namespace quadrille::hw {

/// A packed command, fields least significant first in the order of the
/// engine's page (docs/engines/). Unused bits are zero.
class CommandBits {
 public:
  static constexpr int kBytes = 64;

  /// Appends the low `bits` bits of `value`. Throws InvariantError when they
  /// do not hold it, or when the command is full.
  void put(std::uint64_t value, int bits) {
    if (position_ + bits > 8 * kBytes || (bits < 64 && value >> bits != 0)) {
      throw InvariantError("packed command: " + std::to_string(value) + " in " +
                           std::to_string(bits) + " bits at bit " + std::to_string(position_));
    }
    for (int i = 0; i < bits; ++i, ++position_) {
      if ((value >> i & 1U) != 0)
        bytes_[static_cast<std::size_t>(position_ / 8)] |=
            static_cast<std::uint8_t>(1U << (position_ % 8));
    }
  }
  /// Puts a signed number, in two's complement.
  void put_signed(std::int64_t value, int bits) {
    const std::int64_t limit = std::int64_t{1} << (bits - 1);
    if (value < -limit || value >= limit) {
      throw InvariantError("packed command: " + std::to_string(value) + " in " +
                           std::to_string(bits) + " signed bits at bit " +
                           std::to_string(position_));
    }
    put(static_cast<std::uint64_t>(value) & ((std::uint64_t{1} << bits) - 1), bits);
  }
  /// Bits that another kind of command uses.
  void skip(int bits) { position_ += bits; }

  const std::uint8_t* data() const { return bytes_.data(); }
  int bits() const { return position_; }

 private:
  std::array<std::uint8_t, kBytes> bytes_{};
  int position_ = 0;
};

}  // namespace quadrille::hw
