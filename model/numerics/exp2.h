// The exponential of the integer softmax: 2^-x by table and shift.
#pragma once

#include <array>
#include <cstdint>

namespace quadrille::model {

/// Fraction bits of the logit difference in base 2, and index bits of the table.
inline constexpr int kExp2FractionBits = 8;

/// Entry i is round(255 * 2^8 * 2^(-i/256)): 16 bits, 8 of them fraction.
std::array<std::uint16_t, 1 << kExp2FractionBits> make_exp2_table();

/// 255 * 2^(-x/256) as an unsigned 8-bit code, x >= 0 in 1/256:
/// round_shift(table[x mod 256], 8 + x/256), which is 0 from x = 9*256 on.
std::uint32_t exp2_code(std::uint64_t x);

}  // namespace quadrille::model
