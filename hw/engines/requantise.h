// Sums by a factor, rounded and clamped: what the CIM bank's epilogue and the vector unit
// do to rows of them in one go.
#pragma once

#include <cstdint>

#include "model/numerics/quantise.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {

/// round_shift(x * mantissa, shift), half to even.
class Scaling {
 public:
  explicit Scaling(const model::Multiplier& multiplier)
      : Scaling(multiplier.mantissa, multiplier.shift) {}
  Scaling(std::uint32_t mantissa, int shift)
      : mantissa_(static_cast<std::int32_t>(mantissa)), round_(shift) {}

  std::int64_t operator()(std::int32_t x) const { return round_(std::int64_t{x} * mantissa_); }

 private:
  std::int32_t mantissa_;
  model::RoundShift<std::int64_t> round_;
};

/// A row's reciprocal as a scaling to `fraction_bits` fraction bits. InvariantError, naming
/// `who` and the row, when the reciprocal has fewer.
Scaling scaling_of(std::uint32_t packed_reciprocal, int fraction_bits, const char* who, int row);

// Each returns how many results it had to clamp.

/// In place, to 32 bits.
std::int64_t scale_to_sums(std::int32_t* row, int count, const Scaling& scaling);
std::int64_t scale_to_codes8(const std::int32_t* row, std::uint8_t* codes, int count,
                             const Scaling& scaling);
/// Two bytes each, little endian.
std::int64_t scale_to_codes16(const std::int32_t* row, std::uint8_t* codes, int count,
                              const Scaling& scaling);

}  // namespace quadrille::hw
