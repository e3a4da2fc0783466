// Sinkhorn normalisation at level `fixed`: the bit-level specification, in plain
// loops. docs/numerics.md states the same in prose.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "model/attention/sinkhorn.h"
#include "model/errors.h"
#include "model/numerics/integers.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

constexpr std::int64_t kLargestCode = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kOneResidual = std::int64_t{1} << kLogFractionBits;
constexpr std::int64_t kOneKernel = std::int64_t{1} << kKernelFractionBits;
/// A held form's line sum, so that its product with a 16-bit mantissa stays
/// below 2^62 and reciprocal() takes it.
constexpr std::int64_t kLargestHeldSum = (std::int64_t{1} << 46) - 1;
/// K0 r before it is multiplied by c.
constexpr std::int64_t kLargestHeldProduct = (std::int64_t{1} << 38) - 1;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

std::int64_t at_most(std::int64_t x, std::int64_t largest, std::int64_t& saturated) {
  if (x <= largest) return x;
  ++saturated;
  return largest;
}

std::int64_t held_sum(std::int64_t sum, std::int64_t& saturated) {
  if (sum > 0) return at_most(sum, kLargestHeldSum, saturated);
  ++saturated;
  return 1;
}

/// |x| as a residual code; the clamp is not counted.
std::int32_t residual_code(std::int64_t x) {
  return static_cast<std::int32_t>(std::min(std::llabs(x), static_cast<long long>(kLargestCode)));
}

/// The logits of one matrix.
struct Logits {
  SinkhornShape shape;
  int fraction_bits = 0;
  std::vector<std::int64_t> codes;

  bool visible(int i, int j) const { return shape.visible(i, j); }
  std::int64_t code(int i, int j) const {
    return codes[index(i) * index(shape.columns) + index(j)];
  }
  /// A difference or a code of logits as a logarithm code.
  std::int64_t log_code(std::int64_t logit) const {
    return round_shift(logit, -(kLogFractionBits - fraction_bits));
  }
};

Logits logits_of(const std::vector<std::int32_t>& codes, const SinkhornInteger& problem, int b,
                 std::int64_t& saturated) {
  Logits logits{problem.shape, problem.fraction_bits, {}};
  const std::size_t offset = index(b) * static_cast<std::size_t>(problem.shape.elements());
  for (int i = 0; i < problem.shape.rows; ++i) {
    for (int j = 0; j < problem.shape.columns; ++j) {
      const std::int64_t code = codes[offset + logits.codes.size()];
      const std::int64_t scaled = round_shift(
          code * static_cast<std::int64_t>(problem.factor.mantissa), problem.factor.shift);
      const std::int64_t logit = saturate(scaled, kLogitBits);
      saturated += logits.visible(i, j) && logit != scaled ? 1 : 0;
      logits.codes.push_back(logit);
    }
  }
  return logits;
}

/// Smallest and largest visible logit.
std::pair<std::int64_t, std::int64_t> extremes(const Logits& logits) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t largest = std::numeric_limits<std::int64_t>::min();
  for (int i = 0; i < logits.shape.rows; ++i) {
    for (int j = 0; j < logits.shape.columns; ++j) {
      if (!logits.visible(i, j)) continue;
      least = std::min(least, logits.code(i, j));
      largest = std::max(largest, logits.code(i, j));
    }
  }
  return {least, largest};
}

/// The sides whose lines a sweep normalises.
struct Sides {
  bool rows = false;
  bool columns = false;
};

/// A form offers this to iterate(): sweep() computes new scalings beside the old
/// ones and measures the present state, accept() puts them in place.
///
/// kScaling: logarithms f, g of the scalings.
class ScalingForm {
 public:
  ScalingForm(Logits logits, const SinkhornInteger& problem, std::vector<std::int64_t> f,
              std::vector<std::int64_t> g)
      : logits_(std::move(logits)),
        damped_(problem.settings.update == SinkhornUpdate::kDamped),
        column_target_(sinkhorn_column_target(problem.shape)),
        f_(std::move(f)),
        g_(std::move(g)) {}

  SinkhornResidualCode sweep(Sides sides) {
    SinkhornResidualCode residual;
    next_saturated_ = 0;
    next_f_ = f_;
    next_g_ = g_;
    for (int i = 0; sides.rows && i < logits_.shape.rows; ++i) {
      LogSum sum;
      for (int j = 0; j < logits_.shape.columns; ++j) {
        if (logits_.visible(i, j)) sum.add(logits_.log_code(logits_.code(i, j)) + g_[index(j)]);
      }
      solve(sum, 0, next_f_[index(i)], residual.row);
    }
    for (int j = 0; sides.columns && j < logits_.shape.columns; ++j) {
      LogSum sum;
      for (int i = 0; i < logits_.shape.rows; ++i) {
        if (logits_.visible(i, j)) sum.add(logits_.log_code(logits_.code(i, j)) + f_[index(i)]);
      }
      solve(sum, column_target_, next_g_[index(j)], residual.column);
    }
    return residual;
  }

  void accept(std::int64_t& saturated) {
    f_ = next_f_;
    g_ = next_g_;
    saturated += next_saturated_;
  }

  std::int64_t kernel(int i, int j, std::int64_t& saturated) const {
    return power_code(logits_.log_code(logits_.code(i, j)) + f_[index(i)] + g_[index(j)],
                      kKernelFractionBits, saturated);
  }
  std::vector<std::int64_t> row_words() const { return f_; }
  std::vector<std::int64_t> column_words() const { return g_; }

 private:
  // One line: its scaling becomes the next one, its residual joins the largest.
  void solve(const LogSum& sum, std::int64_t target, std::int64_t& scaling,
             std::int32_t& largest_residual) {
    if (sum.sum == 0) return;  // Sees nothing.
    const std::int64_t old = scaling;
    const std::int64_t solved = target - sum.logarithm();
    std::int64_t not_counted = 0;
    const std::int64_t ratio = power_code(old - solved, kLogFractionBits, not_counted);
    largest_residual = std::max(largest_residual, residual_code(ratio - kOneResidual));
    const std::int64_t next = damped_ ? round_shift(old + solved, 1) : solved;
    scaling = saturate(next, 32);
    next_saturated_ += scaling != next ? 1 : 0;
  }

  Logits logits_;
  bool damped_;
  std::int64_t column_target_;
  std::vector<std::int64_t> f_;
  std::vector<std::int64_t> g_;
  std::vector<std::int64_t> next_f_;
  std::vector<std::int64_t> next_g_;
  std::int64_t next_saturated_ = 0;
};

/// 2^L relative to the matrix's largest: K0, 0 where nothing is visible.
std::vector<std::int64_t> held_kernel(const Logits& logits) {
  const std::int64_t largest = extremes(logits).second;
  std::vector<std::int64_t> kernel;
  std::int64_t never = 0;  // K0 is at most 1.
  for (int i = 0; i < logits.shape.rows; ++i) {
    for (int j = 0; j < logits.shape.columns; ++j) {
      const std::int64_t x = logits.log_code(logits.code(i, j) - largest);
      kernel.push_back(logits.visible(i, j) ? power_code(x, kKernelFractionBits, never) : 0);
    }
  }
  return kernel;
}

bool sees_something(const SinkhornShape& shape, bool row, int line) {
  return row || !shape.causal || line < shape.rows;
}

/// A column's sum over n / m, from its sum.
std::int64_t over_target(std::int64_t sum, const Multiplier& inverse, std::int64_t& saturated) {
  return held_sum(round_shift(sum * static_cast<std::int64_t>(inverse.mantissa), inverse.shift),
                  saturated);
}

Multiplier inverse_column_target(const SinkhornShape& shape) {
  return make_multiplier(static_cast<double>(shape.columns) / shape.rows);
}

/// x times a scaling with `fraction_bits` more fraction bits than K has; the
/// scaling's value is mantissa * 2^(24 - shift).
std::int64_t scaled(std::int64_t x, const Reciprocal& scaling, int fraction_bits = 0) {
  return round_shift(x * static_cast<std::int64_t>(scaling.mantissa),
                     scaling.shift - kKernelFractionBits - fraction_bits);
}

/// kKernel: K0 stays, r and c are mantissas with a shift.
class KernelForm {
 public:
  KernelForm(const Logits& logits, const SinkhornInteger& problem)
      : shape_(problem.shape),
        inverse_target_(inverse_column_target(problem.shape)),
        kernel_(held_kernel(logits)),
        r_(index(shape_.rows), kOne),
        c_(index(shape_.columns), kOne) {}

  SinkhornResidualCode sweep(Sides sides) {
    SinkhornResidualCode residual;
    next_saturated_ = 0;
    next_r_ = r_;
    next_c_ = c_;
    for (int i = 0; sides.rows && i < shape_.rows; ++i) {
      std::int64_t sum = 0;
      for (int j = 0; j < shape_.columns; ++j) sum += scaled(element(i, j), c_[index(j)]);
      solve(held_sum(sum, next_saturated_), next_r_[index(i)], residual.row);
    }
    for (int j = 0; sides.columns && j < shape_.columns; ++j) {
      if (!sees_something(shape_, false, j)) continue;
      std::int64_t sum = 0;
      for (int i = 0; i < shape_.rows; ++i) sum += scaled(element(i, j), r_[index(i)]);
      sum = held_sum(sum, next_saturated_);
      solve(over_target(sum, inverse_target_, next_saturated_), next_c_[index(j)], residual.column);
    }
    return residual;
  }

  void accept(std::int64_t& saturated) {
    r_ = next_r_;
    c_ = next_c_;
    saturated += next_saturated_;
  }

  std::int64_t kernel(int i, int j, std::int64_t& saturated) const {
    const std::int64_t product =
        at_most(scaled(element(i, j), r_[index(i)]), kLargestHeldProduct, saturated);
    return at_most(scaled(product, c_[index(j)]), kLargestCode, saturated);
  }
  std::vector<std::int64_t> row_words() const { return words(r_); }
  std::vector<std::int64_t> column_words() const { return words(c_); }

 private:
  static constexpr Reciprocal kOne{std::uint32_t{1} << 15, 39};

  static void solve(std::int64_t sum, Reciprocal& scaling, std::int32_t& largest_residual) {
    // Eight fraction bits fewer than K: 16.
    const std::int64_t ratio = scaled(sum, scaling, kLogFractionBits - kKernelFractionBits);
    largest_residual = std::max(largest_residual, residual_code(ratio - kOneResidual));
    scaling = reciprocal(static_cast<std::uint64_t>(sum));
  }
  static std::vector<std::int64_t> words(const std::vector<Reciprocal>& scalings) {
    std::vector<std::int64_t> result;
    result.reserve(scalings.size());
    for (const Reciprocal& scaling : scalings) result.push_back(packed(scaling));
    return result;
  }
  std::int64_t element(int i, int j) const {
    return kernel_[index(i) * index(shape_.columns) + index(j)];
  }

  SinkhornShape shape_;
  Multiplier inverse_target_;
  std::vector<std::int64_t> kernel_;
  std::vector<Reciprocal> r_;
  std::vector<Reciprocal> c_;
  std::vector<Reciprocal> next_r_;
  std::vector<Reciprocal> next_c_;
  std::int64_t next_saturated_ = 0;
};

/// kMatrix: K itself is normalised.
class MatrixForm {
 public:
  MatrixForm(const Logits& logits, const SinkhornInteger& problem)
      : shape_(problem.shape),
        inverse_target_(inverse_column_target(problem.shape)),
        kernel_(held_kernel(logits)) {}

  SinkhornResidualCode sweep(Sides sides) {
    SinkhornResidualCode residual;
    next_saturated_ = 0;
    next_ = kernel_;
    for (int i = 0; sides.rows && i < shape_.rows; ++i) {
      std::int64_t sum = 0;
      for (int j = 0; j < shape_.columns; ++j) sum += kernel_[at(i, j)];
      const Reciprocal r = solve(held_sum(sum, next_saturated_), residual.row);
      for (int j = 0; j < shape_.columns; ++j) multiply(next_[at(i, j)], r);
    }
    for (int j = 0; sides.columns && j < shape_.columns; ++j) {
      if (!sees_something(shape_, false, j)) continue;
      std::int64_t sum = 0;
      for (int i = 0; i < shape_.rows; ++i) sum += kernel_[at(i, j)];
      sum = held_sum(sum, next_saturated_);
      const Reciprocal c =
          solve(over_target(sum, inverse_target_, next_saturated_), residual.column);
      for (int i = 0; i < shape_.rows; ++i) multiply(next_[at(i, j)], c);
    }
    return residual;
  }

  void accept(std::int64_t& saturated) {
    kernel_ = next_;
    saturated += next_saturated_;
  }

  std::int64_t kernel(int i, int j, std::int64_t&) const { return kernel_[at(i, j)]; }
  std::vector<std::int64_t> row_words() const { return {}; }
  std::vector<std::int64_t> column_words() const { return {}; }

 private:
  static Reciprocal solve(std::int64_t sum, std::int32_t& largest_residual) {
    const std::int64_t away =
        round_shift(std::llabs(sum - kOneKernel), kKernelFractionBits - kLogFractionBits);
    largest_residual = std::max(largest_residual, residual_code(away));
    return reciprocal(static_cast<std::uint64_t>(sum));
  }
  void multiply(std::int64_t& element, const Reciprocal& scaling) {
    element = at_most(scaled(element, scaling), kLargestCode, next_saturated_);
  }
  std::size_t at(int i, int j) const { return index(i) * index(shape_.columns) + index(j); }

  SinkhornShape shape_;
  Multiplier inverse_target_;
  std::vector<std::int64_t> kernel_;
  std::vector<std::int64_t> next_;
  std::int64_t next_saturated_ = 0;
};

/// Works one matrix off and appends what it gives to the result.
template <typename Form>
void iterate(Form form, const SinkhornInteger& problem, SinkhornFixedResult& result) {
  const SinkhornSettings& settings = problem.settings;
  const bool damped = settings.update == SinkhornUpdate::kDamped;
  int iterations = 0;
  int sweeps = 0;
  while (iterations < settings.half_steps) {
    const bool rows = damped || iterations % 2 == 0;
    const SinkhornResidualCode residual = form.sweep({rows, damped || !rows});
    ++sweeps;
    if (iterations > 0) {  // The residual is of the state after `iterations` half-steps.
      if (result.residuals.size() < index(iterations)) result.residuals.emplace_back();
      SinkhornResidualCode& largest = result.residuals[index(iterations - 1)];
      largest.row = std::max(largest.row, residual.row);
      largest.column = std::max(largest.column, residual.column);
      if (settings.tolerance > 0.0 &&
          std::max(residual.row, residual.column) <= problem.tolerance_code)
        break;
    }
    form.accept(result.saturated);
    ++iterations;
  }
  for (int i = 0; i < problem.shape.rows; ++i) {
    for (int j = 0; j < problem.shape.columns; ++j)
      result.k_q.push_back(problem.shape.visible(i, j) ? form.kernel(i, j, result.saturated) : 0);
  }
  const auto append = [](std::vector<std::int64_t>& to, const std::vector<std::int64_t>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(result.f_q, form.row_words());
  append(result.g_q, form.column_words());
  result.iterations.push_back(iterations);
  result.sweeps.push_back(sweeps);
}

/// The starting codes of matrix b, or zeros.
std::vector<std::int64_t> starting(const std::vector<std::int32_t>& codes, int b, int lines) {
  if (codes.empty()) return std::vector<std::int64_t>(index(lines), 0);
  const auto first = codes.begin() + std::ptrdiff_t{b} * lines;
  return {first, first + lines};
}

void check_size(std::size_t found, std::int64_t expected, const char* what) {
  if (found != static_cast<std::size_t>(expected))
    throw InvariantError("sinkhorn: " + std::to_string(found) + " " + what + ", the shape says " +
                         std::to_string(expected));
}

void check(const std::vector<std::int32_t>& codes, const SinkhornInteger& problem,
           const std::vector<std::int32_t>& g0, const std::vector<std::int32_t>& f0) {
  const SinkhornShape& shape = problem.shape;
  check_size(codes.size(), shape.batch * shape.elements(), "codes");
  if (!g0.empty()) check_size(g0.size(), std::int64_t{shape.batch} * shape.columns, "codes g0");
  if (!f0.empty()) check_size(f0.size(), std::int64_t{shape.batch} * shape.rows, "codes f0");
  const bool scaling = problem.settings.form == SinkhornForm::kScaling;
  if (!scaling &&
      (problem.settings.update == SinkhornUpdate::kDamped || !g0.empty() || !f0.empty()))
    throw InvariantError("sinkhorn: held K has no damped update and no warm start");
  if (problem.fraction_bits < kLeastLogitFractionBits ||
      problem.fraction_bits > kMostLogitFractionBits)
    throw InvariantError("sinkhorn: logits of " + std::to_string(problem.fraction_bits) +
                         " fraction bits");
}

}  // namespace

int logit_fraction_bits(double largest_octaves) {
  // A Multiplier is off by up to 2^-16, half a code of the largest logit.
  const double largest = largest_code(kLogitBits) - 1.0;
  int bits = kMostLogitFractionBits;
  while (bits > kLeastLogitFractionBits && std::ldexp(largest_octaves, bits) > largest) --bits;
  return bits;
}

std::int32_t sinkhorn_tolerance_code(double tolerance) {
  const double code = std::floor(std::ldexp(tolerance, kLogFractionBits));
  return static_cast<std::int32_t>(std::clamp(code, 0.0, static_cast<double>(kLargestCode)));
}

std::int32_t sinkhorn_column_target(const SinkhornShape& shape) {
  const double octaves = std::log2(static_cast<double>(shape.rows) / shape.columns);
  return static_cast<std::int32_t>(std::nearbyint(std::ldexp(octaves, kLogFractionBits)));
}

double sinkhorn_scaling(double log2) { return std::exp2(std::clamp(log2, -1022.0, 1023.0)); }

std::vector<std::int32_t> sinkhorn_log_codes(const std::vector<double>& scalings) {
  std::vector<std::int32_t> codes;
  for (const double scaling : scalings) {
    if (!(scaling > 0.0) || !std::isfinite(scaling))
      throw InvariantError("sinkhorn: a starting scaling of " + std::to_string(scaling));
    // Doubles reach 2^+-1074, codes 2^+-32768.
    codes.push_back(static_cast<std::int32_t>(
        std::nearbyint(std::ldexp(std::log2(scaling), kLogFractionBits))));
  }
  return codes;
}

SinkhornFixedResult sinkhorn_fixed(const std::vector<std::int32_t>& codes,
                                   const SinkhornInteger& problem,
                                   const std::vector<std::int32_t>& g0,
                                   const std::vector<std::int32_t>& f0) {
  check(codes, problem, g0, f0);
  const SinkhornShape& shape = problem.shape;
  const bool mirrored = problem.settings.update == SinkhornUpdate::kDamped && f0.empty() &&
                        shape.rows == shape.columns;
  SinkhornFixedResult result;
  for (int b = 0; b < shape.batch; ++b) {
    const Logits logits = logits_of(codes, problem, b, result.saturated);
    switch (problem.settings.form) {
      case SinkhornForm::kScaling:
        iterate(ScalingForm(logits, problem, starting(mirrored ? g0 : f0, b, shape.rows),
                            starting(g0, b, shape.columns)),
                problem, result);
        break;
      case SinkhornForm::kKernel:
        iterate(KernelForm(logits, problem), problem, result);
        break;
      case SinkhornForm::kMatrix:
        iterate(MatrixForm(logits, problem), problem, result);
        break;
    }
  }
  return result;
}

int kernel_spread(const std::vector<std::int32_t>& codes, const SinkhornInteger& problem) {
  std::int64_t largest_spread = 0;
  std::int64_t not_counted = 0;
  for (int b = 0; b < problem.shape.batch; ++b) {
    const auto [least, largest] = extremes(logits_of(codes, problem, b, not_counted));
    largest_spread = std::max(largest_spread, largest - least);
  }
  const std::int64_t octave = std::int64_t{1} << problem.fraction_bits;
  return static_cast<int>(ceil_div(largest_spread, octave));
}

std::vector<std::int64_t> sinkhorn_apply_fixed(const std::vector<std::int64_t>& k_q,
                                               const std::vector<std::int32_t>& v_q,
                                               const SinkhornShape& shape, int value_width,
                                               std::int64_t& saturated) {
  check_size(k_q.size(), shape.elements(), "elements of K");
  check_size(v_q.size(), std::int64_t{shape.columns} * value_width, "elements of V");
  std::vector<std::int64_t> out;
  for (int i = 0; i < shape.rows; ++i) {
    for (int c = 0; c < value_width; ++c) {
      std::int64_t sum = 0;
      for (int j = 0; j < shape.columns; ++j)
        sum += k_q[index(i) * index(shape.columns) + index(j)] *
               v_q[index(j) * index(value_width) + index(c)];
      const std::int64_t rounded =
          round_shift(sum, kKernelFractionBits - kSinkhornOutputFractionBits);
      out.push_back(saturate(rounded, 32));
      saturated += out.back() != rounded ? 1 : 0;
    }
  }
  return out;
}

}  // namespace quadrille::model
