// The one rounding function of the project, its fast twin, and saturation. Every
// level uses these and no other; the RTL's `round_shift` module is held against them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace quadrille::model {

/// x / 2^shift, rounded to the nearest integer, ties to even. A negative shift
/// multiplies by 2^-shift (the caller guarantees that it fits). Shifts of 63
/// and more give 0 (|x| < 2^62 everywhere in this project).
constexpr std::int64_t round_shift(std::int64_t x, int shift) {
  if (shift <= 0) return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) << -shift);
  if (shift >= 63) return 0;
  const std::int64_t quotient = x >> shift;  // floor
  const auto low_bits = (std::uint64_t{1} << shift) - 1;
  const auto remainder = static_cast<std::int64_t>(static_cast<std::uint64_t>(x) & low_bits);
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  const bool up = remainder > half || (remainder == half && (quotient & 1) != 0);
  return quotient + (up ? 1 : 0);
}

/// round_shift by a shift that stays the same for many numbers: a loop over them
/// has no branch and vectorises. Equal to round_shift in every bit for shifts of 0
/// and more and |x| < 2^62 (a narrower Word: while x + 2^(shift-1) fits it, with
/// shift below its bits). A signed Word takes any x, an unsigned one is faster
/// where the instruction set lacks arithmetic shifts of 64 bits.
template <typename Word>
class RoundShift {
 public:
  constexpr RoundShift() = default;
  explicit constexpr RoundShift(int shift)
      : shift_(static_cast<std::uint32_t>(std::min(shift, 63))) {
    if (shift <= 0) return;
    half_less_one_ = static_cast<Word>((Word{1} << (shift_ - 1)) - 1);
    odd_mask_ = 1;
  }

  /// Half less one is enough to round up unless the quotient is odd: then one more.
  constexpr Word operator()(Word x) const {
    return static_cast<Word>((x + half_less_one_ + static_cast<Word>((x >> shift_) & odd_mask_)) >>
                             shift_);
  }

 private:
  Word half_less_one_ = 0;
  std::uint32_t odd_mask_ = 0;  ///< A shift of 0 rounds nothing.
  std::uint32_t shift_ = 0;
};

/// x / 2^shift towards minus infinity: the bare arithmetic right shift of the
/// DAMF document's formula (17). Negative shifts multiply.
constexpr std::int64_t floor_shift(std::int64_t x, int shift) {
  if (shift <= 0) return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) << -shift);
  return x >> (shift >= 63 ? 63 : shift);
}

/// x clamped to the symmetric-free two's complement range of `bits` bits,
/// [-2^(bits-1), 2^(bits-1) - 1].
constexpr std::int64_t saturate(std::int64_t x, int bits) {
  const std::int64_t limit = std::int64_t{1} << (bits - 1);
  if (x > limit - 1) return limit - 1;
  if (x < -limit) return -limit;
  return x;
}

/// Index of the highest set bit of x > 0.
constexpr int leading_one(std::uint64_t x) { return 63 - __builtin_clzll(x); }

}  // namespace quadrille::model
