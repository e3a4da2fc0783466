// One query's share beside its sums: a reciprocal that divides them, and for DAMF
// the pair (A_max, s) that stands in for phi(q).
#pragma once

#include <algorithm>
#include <cstdint>

#include "hw/engines/damf/damf_rows.h"
#include "hw/engines/linear/linear_operations.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {

/// Division of a query's sums by its denominator: one reciprocal, one
/// multiplication per column (rule in model/attention/linear.h).
class LinearDivision {
 public:
  explicit LinearDivision(std::int64_t denominator)
      : LinearDivision(denominator, model::reciprocal(static_cast<std::uint64_t>(denominator))) {}

  std::int32_t apply(std::int64_t numerator, std::int64_t& saturated) const {
    const std::int64_t exact =
        model::round_shift(model::round_shift(numerator, pre_shift_) * mantissa_, shift_);
    const std::int64_t stored = model::saturate(exact, 32);
    saturated += stored != exact ? 1 : 0;
    return static_cast<std::int32_t>(stored);
  }

 private:
  LinearDivision(std::int64_t denominator, const model::Reciprocal& inverse)
      : mantissa_(inverse.mantissa),
        pre_shift_(std::max(0, model::leading_one(static_cast<std::uint64_t>(denominator)) - 31)),
        shift_(inverse.shift - pre_shift_ - model::kLinearOutputFractionBits) {}

  std::int64_t mantissa_;
  int pre_shift_;
  int shift_;
};

/// The command of the DAMF engine whose rows this engine's DAMF queries are.
inline DamfAttend linear_damf_settings(const LinearAttend& operation) {
  DamfAttend damf;
  damf.settings.mode = model::DamfMode::kCollapsed;
  damf.settings.maximum = operation.maximum;
  damf.settings.causal = operation.causal;
  return damf;
}

/// Query vector against keys (1, t): (A_max, s), or (1, 0) for uniform weights.
struct LinearDamfQuery {
  std::int32_t a_max = 1;
  std::int32_t s = 0;

  explicit LinearDamfQuery(const DamfRow& row) {
    if (row.uniform) return;
    a_max = row.a_max;
    s = row.s;
  }
};

}  // namespace quadrille::hw
