// The row pipeline of the DAMF engine as arithmetic: what one query row needs
// besides the scores, from running statistics, never from the whole tensor.
#pragma once

#include <algorithm>
#include <cstdint>

#include "hw/engines/damf/damf_operations.h"
#include "model/numerics/power_of_two.h"

namespace quadrille::hw {

/// Extremes and sums of the pairs seen so far.
struct DamfStatistics {
  int s_max = 0;
  int s_min = 0;
  int t_max = 0;
  int t_min = 0;
  std::int32_t t_positive = 0;  ///< Sum of the positive t.
  std::int32_t t_negative = 0;
  int count = 0;

  void add(int s, int t);
};

/// Parameters of one query row.
struct DamfRow {
  std::int32_t s = 0;
  std::int32_t a_max = 0;
  bool uniform = false;
  bool shift = false;          ///< Weights are powers of two.
  int exponent_max = 0;        ///< I_max of (15).
  int term_shift = 0;          ///< Right shift of every term, with shift order `each`.
  std::uint32_t mantissa = 1;  ///< out = sum * mantissa * 2^-(output_shift - 8).
  int output_shift = 0;
};

/// Rows of one command in order. Non-causal rows use the statistics of all
/// pairs, causal rows those of the pairs up to their own.
class DamfRows {
 public:
  explicit DamfRows(const DamfAttend& operation);

  /// LOAD: the next pair (non-causal statistics).
  void load(int s, int t) { all_.add(s, t); }
  /// Start again at row 0.
  void restart();
  /// The next row; its pair joins the causal statistics first.
  DamfRow next(int s, int t);

  /// Weight of key t in row `row`: 1 (uniform), A_max + score (13), or the
  /// signed sum of two powers of two (17).
  std::int32_t weight(const DamfRow& row, int t) const;

 private:
  std::int32_t highest_score(int s, const DamfStatistics& seen) const;

  DamfAttend operation_;
  DamfStatistics all_;
  DamfStatistics prefix_;
  std::int32_t running_max_ = 0;
};

/// One output element from a row's accumulated sum, saturated to 32 bits;
/// counts saturations.
std::int32_t damf_output(std::int64_t sum, const DamfRow& row, std::int64_t& saturated);

}  // namespace quadrille::hw
