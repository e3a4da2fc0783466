// Little-endian words in the bytes of a beat, as every stream between an engine
// and the scratchpad carries them.
#pragma once

#include <cstdint>

#include "hw/engines/beat_engine.h"

namespace quadrille::hw {

/// Word `k` of a beat of signed words of `bytes` bytes each.
inline std::int32_t beat_word(const Beat& beat, int k, int bytes = 4) {
  std::uint32_t word = 0;
  for (int b = 0; b < bytes; ++b)
    word |= static_cast<std::uint32_t>(
                beat.bytes[static_cast<std::size_t>(std::int64_t{bytes} * k + b)])
            << (8 * b);
  const int spare = 32 - 8 * bytes;
  return static_cast<std::int32_t>(word << spare) >> spare;
}

/// Puts a word of 4 bytes behind the beat's last byte.
inline void append_word(Beat& beat, std::int32_t value) {
  const auto word = static_cast<std::uint32_t>(value);
  for (int b = 0; b < 4; ++b)
    beat.bytes[static_cast<std::size_t>(beat.size++)] = static_cast<std::uint8_t>(word >> (8 * b));
}

}  // namespace quadrille::hw
