// Question: does the heat flow with the unit's integers stay on the flow with
// double precision, and do its formats hold what they must?
#include "model/dynamics/heat_flow_fixed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/dynamics/symmetric_kernel.h"
#include "model/errors.h"

namespace quadrille::model {
namespace {

IntegerHeatFlowSettings small() {
  IntegerHeatFlowSettings settings;
  settings.particles = 96;
  settings.epsilon = 0.02;
  return settings;
}

std::vector<std::int32_t> codes_of(const std::vector<double>& z, int bits) {
  std::vector<std::int32_t> codes;
  for (const double value : z)
    codes.push_back(static_cast<std::int32_t>(std::nearbyint(std::ldexp(value, bits))));
  return codes;
}

TEST(HeatFlowFixed, LogitCodesAreTheExactSquaresRounded) {
  const IntegerHeatFlowSettings settings = small();
  const std::vector<std::int32_t> positions = codes_of({-7.9, -1.0, 0.25, 0.2500001, 7.9}, 14);
  const std::vector<std::int32_t> codes = heat_flow_codes(positions, settings);
  const int bits = heat_flow_code_bits(settings.epsilon);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(codes[6 * i], 0);
    for (std::size_t j = 0; j < 5; ++j) {
      EXPECT_EQ(codes[5 * i + j], codes[5 * j + i]);
      const long double d = std::ldexp(static_cast<long double>(positions[i] - positions[j]), -14);
      const long double octaves = -d * d * std::log2(std::exp(1.0L)) / 0.04L;
      EXPECT_NEAR(static_cast<double>(std::ldexp(octaves, bits)), codes[5 * i + j], 0.51);
    }
  }
}

TEST(HeatFlowFixed, TheFarthestPairFitsItsCode) {
  for (const double epsilon : {0.001, 0.01, 0.1, 1.0}) {
    IntegerHeatFlowSettings settings;
    settings.epsilon = epsilon;
    const std::int32_t end = (1 << 19) - 1;
    settings.position_bits = 16;
    const std::vector<std::int32_t> codes = heat_flow_codes({-end, end}, settings);
    EXPECT_LT(codes[1], 0);
    const double octaves = std::ldexp(codes[1], -heat_flow_code_bits(epsilon));
    EXPECT_NEAR(octaves, -256.0 * std::log2(std::exp(1.0)) / (2.0 * epsilon), 1e-3 / epsilon);
  }
}

// A step from the same positions and starting scalings, in nats: the logits are
// off by half a unit (rounded twice), and every update of the log scalings by a
// logarithm's 2^-14 octaves and that same error, which T, not expanding in the
// largest norm, only adds up. So log K is off by at most e = d + 2 * 20 (d + l) / 2,
// and B, a mean of y - x with weights off by e on both sides of the fraction, by
// (exp(2e) - 1) times the mean |y - x|; out rounds to 2^-8 units of V.
TEST(HeatFlowFixed, OneStepStaysWithinTheBoundOfItsFormats) {
  IntegerHeatFlowSettings settings = small();
  settings.end_time = settings.epsilon;
  const IntegerHeatFlow flow = heat_flow_integer(settings, fixed_heat_flow_unit(settings));
  std::vector<double> start;
  for (const std::int32_t code : codes_of(mixture_quantiles(96, 1.0), settings.position_bits))
    start.push_back(std::ldexp(code, -settings.position_bits));
  const SymmetricKernel kernel(start, 1, settings.epsilon);
  const std::vector<double> r = symmetric_scaling(kernel, {}, settings.updates, 0.0).r;
  const std::vector<double> b = barycentre(kernel, r, start);
  const double logit = std::log(2.0) * std::ldexp(1.02, -settings.logit_fraction_bits - 1);
  const double logarithm = std::log(2.0) * std::ldexp(1.0, -14);
  const double error = logit + settings.updates * (logit + logarithm);
  ASSERT_EQ(flow.steps.size(), 1u);
  for (std::size_t i = 0; i < start.size(); ++i) {
    std::vector<double> distance(start.size());
    for (std::size_t j = 0; j < start.size(); ++j) distance[j] = std::fabs(start[j] - start[i]);
    const double mean = barycentre(kernel, r, distance)[i];
    const double out = std::ldexp(static_cast<double>(flow.steps[0].result.out_q[i]),
                                  -settings.position_bits - kSinkhornOutputFractionBits);
    // K's 24 fraction bits and its row sum's residual, on |y| < 8.
    const double residual = 8.0 * (flow.steps[0].figures.residual + 96 * std::ldexp(1.0, -24));
    EXPECT_NEAR(out, b[i], std::expm1(2.0 * error) * mean + residual) << i;
  }
}

// K's columns sum to 1 up to the residual, so the particles' mean moves by no
// more than that times their mean magnitude, and the grid's rounding.
TEST(HeatFlowFixed, TheMeanStays) {
  const IntegerHeatFlowSettings settings = small();
  const IntegerHeatFlow flow = heat_flow_integer(settings, fixed_heat_flow_unit(settings));
  double allowed = 0.0;
  for (const IntegerHeatFlowStep& step : flow.steps)
    allowed += 8.0 * step.figures.residual + std::ldexp(0.51, -settings.position_bits);
  double mean = 0.0;
  for (const std::int32_t code : flow.positions)
    mean += std::ldexp(code, -settings.position_bits) / settings.particles;
  EXPECT_LE(std::fabs(mean), allowed);
}

// The word-length study in small: 2^-12 matches double precision, 2^-4 stalls.
TEST(HeatFlowFixed, TwelveFractionBitsFollowTheFlowAndFourStall) {
  const auto run = [](int bits) {
    IntegerHeatFlowSettings settings = small();
    settings.position_bits = bits;
    return heat_flow_integer(settings, fixed_heat_flow_unit(settings)).steps;
  };
  HeatFlowSettings exact;
  exact.particles = 96;
  exact.epsilon = 0.02;
  const double w2 = heat_flow_float(exact).steps.back().w2;
  EXPECT_NEAR(run(12).back().figures.w2, w2, 1e-3);
  // eps/2 |score| = 0.01 |score| stays below half of 2^-4 for |score| < 3.
  for (const IntegerHeatFlowStep& step : run(4)) EXPECT_EQ(step.figures.displacement, 0.0);
}

TEST(HeatFlowFixed, PositionsMoveToTwiceTheirOwnMinusOutHalfToEven) {
  IntegerHeatFlowSettings settings = small();
  settings.particles = 4;
  settings.end_time = settings.epsilon;
  const std::vector<std::int64_t> offsets = {127, 128, 129, 384};  // Units are 1/256.
  std::vector<std::int32_t> before;
  const HeatFlowUnit unit = [&](const HeatFlowPass& pass) {
    before = pass.positions;
    HeatFlowPassResult result;
    result.f_q.assign(4, 0);
    for (std::size_t i = 0; i < 4; ++i)
      result.out_q.push_back((std::int64_t{pass.positions[i]} - 10) * 256 - offsets[i]);
    return result;
  };
  const IntegerHeatFlow flow = heat_flow_integer(settings, unit);
  for (std::size_t i = 0; i < 4; ++i) {
    const double moved = before[i] + 10 + static_cast<double>(offsets[i]) / 256.0;
    EXPECT_EQ(flow.positions[i], std::nearbyint(moved)) << i;
  }
}

TEST(HeatFlowFixed, FarPairsSaturateAndAreCounted) {
  IntegerHeatFlowSettings settings = small();
  settings.end_time = settings.epsilon;
  const std::vector<std::int32_t> start =
      codes_of(mixture_quantiles(96, 1.0), settings.position_bits);
  std::int64_t far = 0;
  // Logits below -2^15 units of the logits' format.
  for (const std::int32_t code : heat_flow_codes(start, settings)) {
    const double octaves = std::ldexp(code, -heat_flow_code_bits(settings.epsilon));
    far += octaves < -std::ldexp(1.0, 15 - settings.logit_fraction_bits) ? 1 : 0;
  }
  const IntegerHeatFlow flow = heat_flow_integer(settings, fixed_heat_flow_unit(settings));
  EXPECT_GT(far, 96 * 96 / 4);
  EXPECT_EQ(flow.steps[0].result.saturated, far);
}

TEST(HeatFlowFixed, ComparisonNamesTheFirstDifference) {
  IntegerHeatFlowSettings settings = small();
  settings.end_time = 3 * settings.epsilon;
  settings.particles = 12;
  const IntegerHeatFlow flow = heat_flow_integer(settings, fixed_heat_flow_unit(settings));
  EXPECT_EQ(first_difference(flow, flow), "");
  IntegerHeatFlow other = flow;
  other.steps[1].result.g_q[3] += 1;
  EXPECT_EQ(first_difference(flow, other).rfind("step 2, g[3]: ", 0), 0u);
  other = flow;
  other.positions[0] += 1;
  EXPECT_EQ(first_difference(flow, other), "positions at the end");
  other.steps.pop_back();
  EXPECT_NE(first_difference(flow, other), "");
}

TEST(HeatFlowFixed, AParticleThatLeavesItsRangeIsRefused) {
  IntegerHeatFlowSettings settings = small();
  const HeatFlowUnit runaway = [&](const HeatFlowPass& pass) {
    HeatFlowPassResult result;
    result.f_q.assign(pass.positions.size(), 0);
    result.out_q.assign(pass.positions.size(), -(std::int64_t{1} << 31));
    return result;
  };
  EXPECT_THROW(heat_flow_integer(settings, runaway), RunawayFlow);
}

}  // namespace
}  // namespace quadrille::model
