// Random DAMF commands with their operands in a scratchpad, and what the
// specification says they give.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "hw/engines/damf/damf_operations.h"
#include "hw/memory/bytes.h"
#include "model/attention/damf.h"
#include "testbench/common/portable_random.h"

namespace quadrille::testbench {

/// A memory image that owns its bytes.
class Image {
 public:
  explicit Image(std::uint64_t size) : data_(size, 0xA5) {}
  hw::Bytes bytes() { return {data_.data(), data_.size()}; }
  const std::vector<std::uint8_t>& data() const { return data_; }
  bool operator==(const Image& other) const { return data_ == other.data_; }

 private:
  std::vector<std::uint8_t> data_;
};

struct DamfExpected {
  std::int64_t uniform_rows = 0;
  std::int64_t saturated = 0;
};

/// One operation, its memory before, and its memory after by the specification.
struct DamfCase {
  hw::DamfOperation operation;
  Image before{0};
  Image after{0};
  DamfExpected expected;
  std::string description;
};

inline std::string describe(const model::DamfSettings& settings) {
  std::ostringstream text;
  text << "mode " << static_cast<int>(settings.mode) << " rounding "
       << static_cast<int>(settings.rounding) << " maximum " << static_cast<int>(settings.maximum)
       << " negative " << static_cast<int>(settings.negative) << " order "
       << static_cast<int>(settings.shift_order) << " guard " << settings.guard_bits << " causal "
       << settings.causal;
  return text.str();
}

/// The kinds of codes that a case is drawn from.
enum class Codes { kUniform, kSmall, kExtreme, kNegativeScores, kSparse, kLowest };
inline constexpr int kCodesKinds = 6;

inline std::int32_t draw_code(std::mt19937_64& random, Codes kind) {
  const auto any = static_cast<std::int32_t>(random() % 256) - 128;
  switch (kind) {
    case Codes::kUniform:
      return any;
    case Codes::kSmall:
      return any / 32;
    case Codes::kExtreme:
      return any % 3 == 0 ? -128 : any % 3 == 1 ? 127 : -127;
    case Codes::kNegativeScores:
      return any % 2 != 0 ? 128 - std::max(any, 1 - any) : any;
    case Codes::kSparse:
      return random() % 4 == 0 ? any : 0;
    case Codes::kLowest:
      return -128;
  }
  return any;
}

inline DamfCase make_attend_case(std::mt19937_64& random, int tokens, int width,
                                 const model::DamfSettings& settings, double scale, Codes kind) {
  DamfCase result;
  const auto length = static_cast<std::size_t>(tokens);
  std::vector<std::int32_t> s(length);
  std::vector<std::int32_t> t(length);
  std::vector<std::int32_t> v(length * static_cast<std::size_t>(width));
  for (auto& x : s) x = draw_code(random, kind);
  for (auto& x : t) x = draw_code(random, kind);
  if (kind == Codes::kNegativeScores) {
    for (auto& x : s) x = std::max(x, 1 - x);
    for (auto& x : t) x = -std::max(x, 1 - x);
    for (auto& x : s) x = std::min(x, 127);
    for (auto& x : t) x = std::max(x, -128);
  }
  for (auto& x : v) x = draw_code(random, kind == Codes::kSparse ? Codes::kUniform : kind);

  hw::DamfAttend op;
  op.tokens = tokens;
  op.width = width;
  op.settings = settings;
  op.rule = model::make_power_rule(settings.rounding, scale);
  if (random() % 8 == 0) {
    // Any threshold is a threshold: close above a number that codes do reach.
    for (auto* threshold : {&op.rule.threshold_low, &op.rule.threshold_high})
      *threshold = (*threshold >> 25 << 25) | std::uint64_t{1} << (random() % 25);
  }
  op.scores = 0;
  op.values = 2 * length + random() % 7;
  op.value_pitch_bytes = width + static_cast<std::int64_t>(random() % 5);
  op.destination = op.values + length * static_cast<std::uint64_t>(op.value_pitch_bytes);
  op.destination_pitch_bytes = 4 * width + static_cast<std::int64_t>(random() % 9);
  const std::uint64_t size =
      op.destination + length * static_cast<std::uint64_t>(op.destination_pitch_bytes);
  result.before = Image(size);
  const hw::Bytes memory = result.before.bytes();
  for (std::size_t n = 0; n < length; ++n) {
    *memory.at(2 * n, 1) = static_cast<std::uint8_t>(s[n]);
    *memory.at(2 * n + 1, 1) = static_cast<std::uint8_t>(t[n]);
    for (std::size_t c = 0; c < static_cast<std::size_t>(width); ++c) {
      *memory.at(op.values + n * static_cast<std::uint64_t>(op.value_pitch_bytes) + c, 1) =
          static_cast<std::uint8_t>(v[n * static_cast<std::size_t>(width) + c]);
    }
  }
  result.after = result.before;
  const model::DamfFixedResult fixed = model::damf_fixed(s, t, v, width, op.rule, settings);
  for (std::size_t m = 0; m < length; ++m) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(width); ++c) {
      result.after.bytes().write_i32(
          op.destination + m * static_cast<std::uint64_t>(op.destination_pitch_bytes) + 4 * c,
          static_cast<std::int32_t>(fixed.out_q[m * static_cast<std::size_t>(width) + c]));
    }
  }
  result.expected = {fixed.uniform_rows, fixed.saturated};
  result.operation = op;
  std::ostringstream text;
  text << "attend L " << tokens << " h " << width << " codes " << static_cast<int>(kind)
       << " scale " << scale << ' ' << describe(settings);
  result.description = text.str();
  return result;
}

inline DamfCase make_project_case(std::mt19937_64& random, int tokens, int width, Codes kind) {
  DamfCase result;
  const auto length = static_cast<std::size_t>(tokens);
  const auto depth = static_cast<std::size_t>(width);
  std::vector<std::int32_t> u(depth);
  std::vector<std::int32_t> v(depth);
  std::vector<std::int32_t> x(length * depth);
  // Coarse codes under powers of two: sums that round at a tie.
  const bool ties = random() % 4 == 0;
  for (auto* tensor : {&u, &v, &x}) {
    for (auto& code : *tensor) code = draw_code(random, kind) & (ties ? ~31 : ~0);
  }
  hw::DamfProject op;
  op.tokens = tokens;
  op.width = width;
  op.u = random() % 5;
  op.v = op.u + depth + random() % 5;
  op.source = op.v + depth;
  op.source_pitch_bytes = width + static_cast<std::int64_t>(random() % 5);
  op.destination = op.source + length * static_cast<std::uint64_t>(op.source_pitch_bytes);
  // Results range from codes of a few bits to saturation; sometimes a shift
  // leaves no bit or all of them.
  const double typical = 1.0 / (64.0 * std::sqrt(static_cast<double>(width)));
  for (model::Multiplier* multiplier : {&op.s_multiplier, &op.t_multiplier}) {
    const double drawn = std::log2(typical) + portable_uniform(random, -4.0, 4.0);
    *multiplier = model::make_multiplier(std::exp2(ties ? std::floor(drawn) : drawn));
    if (random() % 8 == 0) multiplier->shift = static_cast<int>(random() % 63);
  }

  result.before = Image(op.destination + 2 * length);
  const hw::Bytes memory = result.before.bytes();
  for (std::size_t k = 0; k < depth; ++k) {
    *memory.at(op.u + k, 1) = static_cast<std::uint8_t>(u[k]);
    *memory.at(op.v + k, 1) = static_cast<std::uint8_t>(v[k]);
  }
  result.after = Image(0);
  for (std::size_t m = 0; m < length; ++m) {
    for (std::size_t k = 0; k < depth; ++k) {
      *memory.at(op.source + m * static_cast<std::uint64_t>(op.source_pitch_bytes) + k, 1) =
          static_cast<std::uint8_t>(x[m * depth + k]);
    }
  }
  result.after = result.before;
  const auto requantise = [&](std::int64_t sum, const model::Multiplier& multiplier) {
    const auto code = static_cast<std::uint8_t>(model::requantise(sum, multiplier, 8));
    const std::int64_t wide = model::requantise(sum, multiplier, 62);
    result.expected.saturated += wide < -128 || wide > 127 ? 1 : 0;
    return code;
  };
  for (std::size_t m = 0; m < length; ++m) {
    std::int64_t s = 0;
    std::int64_t t = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      s += std::int64_t{x[m * depth + k]} * u[k];
      t += std::int64_t{x[m * depth + k]} * v[k];
    }
    *result.after.bytes().at(op.destination + 2 * m, 1) = requantise(s, op.s_multiplier);
    *result.after.bytes().at(op.destination + 2 * m + 1, 1) = requantise(t, op.t_multiplier);
  }
  result.operation = op;
  std::ostringstream text;
  text << "project L " << tokens << " D " << width << " codes " << static_cast<int>(kind)
       << " s shift " << op.s_multiplier.shift << " t shift " << op.t_multiplier.shift;
  result.description = text.str();
  return result;
}

/// Settings such that any `count` consecutive draws cover every pair of values
/// of two settings: a greedy all-pairs table, shuffled by the seed.
std::vector<model::DamfSettings> pairwise_settings(std::mt19937_64& random);

/// A command of random kind, shape and values; `settings` for an attend.
DamfCase random_damf_case(std::mt19937_64& random, const hw::DamfConfig& config,
                          const model::DamfSettings& settings);

}  // namespace quadrille::testbench
