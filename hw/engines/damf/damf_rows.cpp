#include "hw/engines/damf/damf_rows.h"

#include <cstdlib>

#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {

using model::DamfMaximum;
using model::DamfMode;
using model::DamfNegative;
using model::DamfShiftOrder;

void DamfStatistics::add(int s, int t) {
  s_max = count == 0 ? s : std::max(s_max, s);
  s_min = count == 0 ? s : std::min(s_min, s);
  t_max = count == 0 ? t : std::max(t_max, t);
  t_min = count == 0 ? t : std::min(t_min, t);
  t_positive += std::max(t, 0);
  t_negative += std::min(t, 0);
  ++count;
}

DamfRows::DamfRows(const DamfAttend& operation) : operation_(operation) {}

void DamfRows::restart() {
  prefix_ = {};
  running_max_ = 0;
}

std::int32_t DamfRows::highest_score(int s, const DamfStatistics& seen) const {
  const std::int32_t a = s * seen.t_max;
  const std::int32_t b = s * seen.t_min;
  if (operation_.settings.maximum == DamfMaximum::kAbs) return std::max(std::abs(a), std::abs(b));
  return std::max(a, b);
}

DamfRow DamfRows::next(int s, int t) {
  const model::DamfSettings& settings = operation_.settings;
  prefix_.add(s, t);
  const DamfStatistics& seen = settings.causal ? prefix_ : all_;
  const std::int32_t row_best = highest_score(s, seen);
  if (!settings.causal) {
    running_max_ = std::max(highest_score(seen.s_max, seen), highest_score(seen.s_min, seen));
  } else {
    running_max_ = prefix_.count == 1 ? row_best : std::max(running_max_, row_best);
  }
  const std::int32_t t_sum = settings.negative == DamfNegative::kClamp
                                 ? (s > 0 ? seen.t_positive : seen.t_negative)
                                 : seen.t_positive + seen.t_negative;
  DamfRow row;
  row.s = s;
  row.a_max = settings.maximum == DamfMaximum::kRow ? row_best : running_max_;
  const std::int64_t denominator = std::int64_t{seen.count} * row.a_max + std::int64_t{s} * t_sum;
  row.uniform = row.a_max <= 0 || denominator <= 0;
  row.shift = settings.mode == DamfMode::kShift && !row.uniform;
  const auto divisor = static_cast<std::uint64_t>(row.uniform ? seen.count : denominator);
  if (row.shift) {
    row.exponent_max =
        model::power_exponent(static_cast<std::uint64_t>(row.a_max), operation_.rule);
    const int exponent = model::power_exponent(divisor, operation_.rule);
    if (settings.shift_order == DamfShiftOrder::kEach) {
      row.term_shift = std::max(exponent - settings.guard_bits, 0);
      row.output_shift = std::min(exponent, settings.guard_bits);
    } else {
      row.output_shift = exponent;
    }
  } else {
    const model::Reciprocal inverse = model::reciprocal(divisor);
    row.mantissa = inverse.mantissa;
    row.output_shift = inverse.shift;
  }
  return row;
}

std::int32_t DamfRows::weight(const DamfRow& row, int t) const {
  if (row.uniform) return 1;
  std::int32_t score = row.s * t;
  if (operation_.settings.negative == DamfNegative::kClamp) score = std::max(score, 0);
  if (!row.shift) return row.a_max + score;
  const std::int32_t largest = std::int32_t{1} << row.exponent_max;
  if (score == 0) return largest;
  const int exponent =
      model::power_exponent(static_cast<std::uint64_t>(std::abs(score)), operation_.rule);
  return score > 0 ? largest + (std::int32_t{1} << exponent)
                   : largest - (std::int32_t{1} << exponent);
}

std::int32_t damf_output(std::int64_t sum, const DamfRow& row, std::int64_t& saturated) {
  const std::int64_t exact = model::round_shift(sum * static_cast<std::int64_t>(row.mantissa),
                                                row.output_shift - model::kDamfOutputFractionBits);
  const std::int64_t stored = model::saturate(exact, 32);
  saturated += stored != exact ? 1 : 0;
  return static_cast<std::int32_t>(stored);
}

}  // namespace quadrille::hw
