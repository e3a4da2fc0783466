#include "hw/engines/sinkhorn/sinkhorn_line_sums.h"

#include <array>
#include <cstdlib>

#include "hw/engines/multiversion.h"
#include "model/attention/sinkhorn.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

using model::kLogFractionBits;

/// It is less than any octave, so a sum of nothing is shifted out by the first
/// term.
constexpr std::int32_t kNoOctave = INT32_MIN / 2;

/// An entry of the power table in one word: value << 10 | step.
using PackedTable = std::array<std::uint32_t, 256>;

const PackedTable& packed_power_table() {
  static const PackedTable table = [] {
    const model::InterpolationTable source = model::make_power_table();
    PackedTable packed{};
    for (std::size_t i = 0; i < packed.size(); ++i)
      packed[i] = source[i].value << 10 | source[i].step;
    return packed;
  }();
  return table;
}

/// A logit with the fraction bits of a logarithm.
inline std::int32_t shifted(std::int16_t logit, int left) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(std::int32_t{logit}) << left);
}

constexpr model::RoundShift<std::uint32_t> kRoundOffset(8);

/// One term: x in 16 fraction bits, joined to a running sum.
#define QUADRILLE_ADD_TERM(x)                                                                 \
  do {                                                                                        \
    const std::int32_t octave = static_cast<std::int32_t>((x) >> kLogFractionBits);           \
    const std::uint32_t entry = table[(static_cast<std::uint32_t>(x) >> 8) & 0xFFU];          \
    const std::uint32_t product = (entry & 0x3FFU) * (static_cast<std::uint32_t>(x) & 0xFFU); \
    const std::uint32_t mantissa = (entry >> 10) + kRoundOffset(product);                     \
    const std::int32_t ahead = octave - octaves[k];                                           \
    const std::uint32_t up = static_cast<std::uint32_t>(ahead > 0 ? ahead : 0);               \
    const std::uint32_t down = static_cast<std::uint32_t>(ahead < 0 ? -ahead : 0);            \
    sums[k] = (sums[k] >> (up < 63U ? up : 63U)) +                                            \
              ((static_cast<std::uint64_t>(mantissa) << 12) >> (down < 63U ? down : 63U));    \
    octaves[k] = ahead > 0 ? octave : octaves[k];                                             \
  } while (false)

QUADRILLE_MULTIVERSION
void add_same(const std::int16_t* __restrict logits, int left, std::int32_t other,
              std::size_t lines, const std::uint32_t* __restrict table,
              std::int32_t* __restrict octaves, std::uint64_t* __restrict sums) {
  for (std::size_t k = 0; k < lines; ++k) {
    const std::int32_t x = shifted(logits[k], left) + other;
    QUADRILLE_ADD_TERM(x);
  }
}

QUADRILLE_MULTIVERSION
void add_each(const std::int16_t* __restrict logits, int left,
              const std::int32_t* __restrict others, std::size_t lines,
              const std::uint32_t* __restrict table, std::int32_t* __restrict octaves,
              std::uint64_t* __restrict sums) {
  for (std::size_t k = 0; k < lines; ++k) {
    const std::int32_t x = shifted(logits[k], left) + others[k];
    QUADRILLE_ADD_TERM(x);
  }
}

/// Scalings so large that the sum with a logit needs 33 bits.
void add_wide(const std::int16_t* logits, int left, const std::int32_t* others, std::size_t lines,
              std::size_t copies, const std::uint32_t* table, std::int32_t* octaves,
              std::uint64_t* sums) {
  for (std::size_t k = 0; k < lines; ++k) {
    const std::int64_t x = std::int64_t{shifted(logits[k], left)} + others[k % copies];
    QUADRILLE_ADD_TERM(x);
  }
}

#undef QUADRILLE_ADD_TERM

}  // namespace

std::int32_t sinkhorn_logit(std::int32_t code, const model::Multiplier& factor,
                            std::int64_t& saturated) {
  const std::int64_t scaled = model::round_shift(
      std::int64_t{code} * static_cast<std::int64_t>(factor.mantissa), factor.shift);
  const std::int64_t logit = model::saturate(scaled, model::kLogitBits);
  saturated += logit != scaled ? 1 : 0;
  return static_cast<std::int32_t>(logit);
}

void LogSums::clear(std::size_t lines) {
  octaves.assign(lines, kNoOctave);
  sums.assign(lines, 0);
}

std::int64_t LogSums::logarithm(std::size_t line) const {
  return model::LogSum{octaves[line], sums[line]}.logarithm();
}

void add_terms(LogSums& sums, std::size_t first, const std::int16_t* logits, std::size_t lines,
               int left, const std::int32_t* others, std::size_t copies) {
  constexpr std::int32_t kNarrow = std::int32_t{1} << 30;
  const std::uint32_t* table = packed_power_table().data();
  std::int32_t* octaves = sums.octaves.data() + first;
  std::uint64_t* values = sums.sums.data() + first;
  std::int32_t beyond = 0;
  for (std::size_t p = 0; p < copies; ++p) beyond |= others[p] >= kNarrow || others[p] < -kNarrow;
  if (beyond != 0)
    add_wide(logits, left, others, lines, copies, table, octaves, values);
  else if (copies == 1)
    add_same(logits, left, *others, lines, table, octaves, values);
  else
    for (std::size_t k = 0; k < lines; k += copies)
      add_each(logits + k, left, others, copies, table, octaves + k, values + k);
}

SolvedLine solve_line(std::int64_t logarithm, std::int64_t target, std::int32_t old, bool damped) {
  const std::int64_t solved = target - logarithm;
  std::int64_t not_counted = 0;
  const std::int64_t ratio = model::power_code(old - solved, kLogFractionBits, not_counted);
  const std::int64_t next = damped ? model::round_shift(old + solved, 1) : solved;
  const std::int64_t scaling = model::saturate(next, 32);
  // A ratio code is at most 2^31 - 1, so its distance from 1 fits.
  return {static_cast<std::int32_t>(scaling),
          static_cast<std::int32_t>(std::llabs(ratio - (std::int64_t{1} << kLogFractionBits))),
          scaling != next};
}

}  // namespace quadrille::hw
