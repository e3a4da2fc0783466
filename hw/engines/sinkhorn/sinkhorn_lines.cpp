#include "hw/engines/sinkhorn/sinkhorn_lines.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "hw/engines/multiversion.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

using model::kLogFractionBits;

/// Less than any octave: a sum of nothing is shifted out by the first term.
constexpr std::int32_t kNoOctave = INT32_MIN / 2;
constexpr std::int64_t kLargestCode = INT32_MAX;

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

SinkhornProgress::SinkhornProgress(const SinkhornScale& operation, int matrices)
    : limit_(operation.half_steps + (operation.verify ? 1 : 0)),
      most_half_steps_(operation.half_steps),
      stop_(operation.stop),
      damped_(operation.update == model::SinkhornUpdate::kDamped),
      tolerance_code_(operation.tolerance_code),
      running_(matrices),
      stopped_(static_cast<std::size_t>(matrices), false),
      half_steps_(static_cast<std::size_t>(matrices), 0) {}

bool SinkhornProgress::done() const { return running_ == 0 || sweeps_ == limit_; }

bool SinkhornProgress::sums(SinkhornSide side) const {
  return damped_ || (sweeps_ % 2 == 0) == (side == SinkhornSide::kRows);
}

bool SinkhornProgress::measured(int matrix, const model::SinkhornResidualCode& residual) {
  const auto m = static_cast<std::size_t>(matrix);
  if (stopped_[m]) return false;
  if (sweeps_ >= 2) {  // Of the state after sweeps_ - 1 half-steps.
    const auto state = static_cast<std::size_t>(sweeps_ - 2);
    if (residuals_.size() <= state) residuals_.resize(state + 1);
    residuals_[state].row = std::max(residuals_[state].row, residual.row);
    residuals_[state].column = std::max(residuals_[state].column, residual.column);
    if (stop_ && std::max(residual.row, residual.column) <= tolerance_code_) {
      stopped_[m] = true;
      --running_;
      return false;
    }
  }
  if (sweeps_ > most_half_steps_) return false;
  half_steps_[m] = sweeps_;
  return true;
}

void SinkhornProgress::join(CommandCourse& course) const {
  course.block_sweeps.push_back(sweeps_);
  for (const int half_steps : half_steps_)
    course.half_steps = std::max<std::int64_t>(course.half_steps, half_steps);
  if (course.residuals.size() < residuals_.size()) course.residuals.resize(residuals_.size());
  for (std::size_t l = 0; l < residuals_.size(); ++l) {
    course.residuals[l].row = std::max(course.residuals[l].row, residuals_[l].row);
    course.residuals[l].column = std::max(course.residuals[l].column, residuals_[l].column);
  }
}

}  // namespace quadrille::hw
