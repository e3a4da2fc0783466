// Level `systemc` against level `fixed` on random problems, bit for bit: each
// case is mapped to a program, runs on a whole chip and comes back from DRAM.
#include "testbench/common/random_cases.h"

#include "model/attention/damf.h"
#include "model/attention/softmax.h"

namespace quadrille {
namespace {

using testbench::Census;
using testbench::Draw;
using testbench::NodeCase;
using testbench::RandomCases;

model::DamfSettings draw_damf_settings(Draw& draw, Census& census) {
  static const char* kModes[] = {"maclaurin", "shift", "collapsed"};
  static const char* kRoundings[] = {"linear", "log", "floor"};
  static const char* kMaxima[] = {"global", "row", "abs"};
  model::DamfSettings settings;
  const int mode = draw.below(3);
  const int rounding = draw.below(3);
  const int maximum = draw.below(3);
  settings.mode = static_cast<model::DamfMode>(mode);
  settings.rounding = static_cast<model::PowerRounding>(rounding);
  settings.maximum = static_cast<model::DamfMaximum>(maximum);
  settings.negative = draw.flip() ? model::DamfNegative::kClamp : model::DamfNegative::kSigned;
  settings.shift_order = draw.flip() ? model::DamfShiftOrder::kEach : model::DamfShiftOrder::kLast;
  settings.keep_sigma = draw.flip();
  settings.guard_bits = draw.below(17);
  settings.causal = draw.flip();
  census.settings({kModes[mode], kRoundings[rounding], kMaxima[maximum],
                   settings.negative == model::DamfNegative::kClamp ? "clamp" : "signed",
                   settings.shift_order == model::DamfShiftOrder::kEach ? "each" : "last",
                   settings.keep_sigma ? "sigma kept" : "sigma omitted",
                   settings.causal ? "causal" : "all keys",
                   settings.guard_bits < 8 ? "guard<8" : "guard>=8"});
  return settings;
}

std::int64_t damf_macs(std::int64_t tokens, std::int64_t width,
                       const model::DamfSettings& settings) {
  const std::int64_t pairs = settings.causal ? tokens * (tokens + 1) / 2 : tokens * tokens;
  switch (settings.mode) {
    case model::DamfMode::kMaclaurin:
      return pairs + pairs * width;  // s t, then (A_max + A) V
    case model::DamfMode::kShift:
      return pairs;  // s t; the rest are shift-adds
    case model::DamfMode::kCollapsed:
      return 3 * tokens * width;  // t V, and the readout of two sums
  }
  return 0;
}

TEST_F(RandomCases, SoftmaxOnTheChipEqualsFixed) {
  for (int trial = 0; trial < cases(4000); ++trial) {
    const bool large = trial % 8 == 0;
    const model::SoftmaxShape shape{draw_.size(512),
                                    large ? 257 + draw_.below(256) : draw_.size(512),
                                    draw_.size(128), draw_.size(128), draw_.flip()};
    const std::string what =
        fmt::format("seed {} trial {}: Lq {} Lk {} d {} dv {} causal {}", seed_, trial,
                    shape.queries, shape.keys, shape.width, shape.value_width, shape.causal);
    const auto q = draw_.codes(shape.queries * shape.width);
    const auto k = draw_.codes(shape.keys * shape.width);
    const auto v = draw_.codes(shape.keys * shape.value_width);
    const auto factor = model::make_multiplier(draw_.scale());
    census_.size("Lq", shape.queries);
    census_.size("Lk", shape.keys);
    census_.size("d", shape.width);
    census_.size("dv", shape.value_width);
    census_.settings({shape.causal ? "causal" : "all keys",
                      shape.queries < shape.keys ? "Lq < Lk" : "Lq >= Lk"});
    census_.tile(shape.keys > 256 || shape.value_width > 64);
    const hw::ChipConfig& config =
        chip(shape.keys <= 64 && shape.width <= 64 && shape.queries <= 64);
    std::int64_t pairs = 0;
    for (int i = 0; i < shape.queries; ++i) pairs += shape.visible(i);
    const auto fixed = model::softmax_fixed(q, k, v, shape, factor);
    model::SoftmaxAttention attention;
    attention.causal = shape.causal;
    const auto out =
        NodeCase(attention, model::SoftmaxInteger{factor, {}})
            .input("Q", shape.queries, shape.width, q)
            .input("K", shape.keys, shape.width, k)
            .input("V", shape.keys, shape.value_width, v)
            .output("out", shape.queries, shape.value_width)
            .output("weights", shape.queries, shape.keys)
            .run(config, hw::ExpectedWork{0, pairs * (shape.width + shape.value_width)});
    expect_equal(fixed.weights_q, out.at("weights"), what + " weights");
    expect_equal(fixed.out_q, out.at("out"), what + " out");
    if (HasFatalFailure()) return;
  }
  census_.check(least_per_pair());
}

TEST_F(RandomCases, DamfAttentionOnTheChipEqualsFixed) {
  for (int trial = 0; trial < cases(4000); ++trial) {
    const int tokens = draw_.size(512);
    const int width = trial % 8 == 0 ? 65 + draw_.below(64) : draw_.size(128);
    const model::DamfSettings settings = draw_damf_settings(draw_, census_);
    const std::string what =
        fmt::format("seed {} trial {}: L {} h {}", seed_, trial, tokens, width);
    const auto s = draw_.codes(tokens);
    const auto t = draw_.codes(tokens);
    const auto v = draw_.codes(tokens * width);
    const auto rule = model::make_power_rule(settings.rounding, draw_.scale());
    census_.size("L", tokens);
    census_.size("h", width);
    census_.tile(width > 64);
    const hw::ChipConfig& config = chip(true);
    std::vector<std::int32_t> pairs;
    for (std::size_t i = 0; i < s.size(); ++i) {
      pairs.push_back(s[i]);
      pairs.push_back(t[i]);
    }
    const auto fixed = model::damf_fixed(s, t, v, width, rule, settings);
    model::DamfAttention attention;
    attention.settings = settings;
    const auto out = NodeCase(attention, model::DamfInteger{{rule}, {}})
                         .input("st", 1, 2 * tokens, pairs)
                         .input("V", tokens, width, v)
                         .output("out", tokens, width)
                         .run(config, hw::ExpectedWork{0, damf_macs(tokens, width, settings)});
    expect_equal(fixed.out_q, out.at("out"), what);
    if (HasFatalFailure()) return;
  }
  census_.check(least_per_pair());
}

TEST_F(RandomCases, MatmulOnTheChipEqualsFixed) {
  for (int trial = 0; trial < cases(4500); ++trial) {
    const int tokens = draw_.size(512);
    const int k = trial % 8 == 0 ? 257 + draw_.below(256) : draw_.size(128);
    const int n = draw_.size(128);
    const int input_bits = 1 + trial % 8;
    const int weight_bits = 1 + trial / 8 % 8;
    const std::string what = fmt::format("seed {} trial {}: {} x {} x {}, bits {} {}", seed_, trial,
                                         tokens, k, n, input_bits, weight_bits);
    const auto x = draw_.codes(tokens * k, input_bits);
    const auto w = draw_.codes(k * n, weight_bits);
    census_.size("tokens", tokens);
    census_.size("k", k);
    census_.size("n", n);
    census_.settings(
        {fmt::format("inputs {}", input_bits), fmt::format("weights {}", weight_bits)});
    census_.tile(k > 256 || n > 64);
    std::vector<std::int64_t> fixed(static_cast<std::size_t>(tokens * n), 0);
    for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
        for (std::size_t c = 0; c < static_cast<std::size_t>(n); ++c)
          fixed[t * static_cast<std::size_t>(n) + c] +=
              std::int64_t{x[t * static_cast<std::size_t>(k) + i]} *
              w[i * static_cast<std::size_t>(n) + c];
      }
    }
    const hw::ChipConfig& config = chip(tokens <= 128 && k <= 128);
    model::Linear product;
    product.input_bits = input_bits;
    product.weight_bits = weight_bits;
    const auto out = NodeCase(product, model::LinearInteger{})
                         .input("X", tokens, k, x)
                         .input("W", k, n, w, model::Format::kCodes8, model::Role::kWeight)
                         .output("out", tokens, n)
                         .run(config, hw::ExpectedWork{std::int64_t{tokens} * k * n, 0});
    expect_equal(fixed, out.at("out"), what);
    if (HasFatalFailure()) return;
  }
  census_.check(least_per_pair());
}

}  // namespace
}  // namespace quadrille
