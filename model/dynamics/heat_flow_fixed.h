// The heat flow with the step's K from the Sinkhorn unit's integers: what the
// host computes around the unit, at the levels `fixed` and `systemc` alike.
//
// Positions are codes z_q with `position_bits` fraction bits. Per step the host
// makes the logits' codes
//   code_ij = round(-(z_i - z_j)^2 log2(e) / (2 eps) * 2^code_bits)   half to even
// (the square is exact in double), the unit scales them to its own format, in
// which far pairs clamp at the bottom of the range and are counted as saturated;
// the unit starts from the last step's scalings (zeros, that is ones, at first)
// and applies K to V = z_q. New positions are
//   z_q <- round_shift(2 z_q 2^8 - out_q, 8)
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/attention/sinkhorn.h"
#include "model/dynamics/heat_flow.h"

namespace quadrille::model {

/// Positions are codes of this many bits: what the unit takes as V.
inline constexpr int kPositionBits = 20;

struct IntegerHeatFlowSettings {
  int particles = 256;
  double epsilon = 0.01;
  double end_time = 1.0;
  int updates = 20;              ///< Damped.
  int position_bits = 14;        ///< Fraction bits of z, at most 16: |z| < 8.
  int logit_fraction_bits = 10;  ///< The unit's logits have so many, in octaves.
};

/// Fraction bits of the logits' codes: the most, up to 20, with which the pair
/// at distance 16 fits 31 bits.
int heat_flow_code_bits(double epsilon);
SinkhornInteger heat_flow_problem(const IntegerHeatFlowSettings& settings);
std::vector<std::int32_t> heat_flow_codes(const std::vector<std::int32_t>& positions,
                                          const IntegerHeatFlowSettings& settings);

/// One step's work for the unit, and what it gives back.
struct HeatFlowPass {
  std::vector<std::int32_t> codes;      ///< [n, n]
  std::vector<std::int32_t> scalings;   ///< f0 = g0, [n]
  std::vector<std::int32_t> positions;  ///< V, [n]
};
struct HeatFlowPassResult {
  std::vector<std::int64_t> f_q, g_q, out_q;
  std::int64_t saturated = 0;
  double residual = -1.0;  ///< Residual of K, where the level gives K; else negative.
};
using HeatFlowUnit = std::function<HeatFlowPassResult(const HeatFlowPass&)>;

/// The unit at level `fixed`.
HeatFlowUnit fixed_heat_flow_unit(const IntegerHeatFlowSettings& settings);

struct IntegerHeatFlowStep {
  HeatFlowStep figures;
  HeatFlowPassResult result;
};
struct IntegerHeatFlow {
  std::vector<IntegerHeatFlowStep> steps;
  std::vector<std::int32_t> positions;  ///< Codes at the end.
};

/// The settings let a particle leave the range of its code: logits of many fraction bits
/// have little range, so that far pairs keep weight and the flow runs away.
class RunawayFlow : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// RunawayFlow when a particle leaves the range of its code.
IntegerHeatFlow heat_flow_integer(const IntegerHeatFlowSettings& settings,
                                  const HeatFlowUnit& unit);

/// The first value of two trajectories that differs, or "".
std::string first_difference(const IntegerHeatFlow& a, const IntegerHeatFlow& b);

}  // namespace quadrille::model
