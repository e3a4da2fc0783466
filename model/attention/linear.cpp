#include "model/attention/linear.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "model/errors.h"
#include "model/number_text.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void check_size(const char* name, std::size_t found, std::size_t rows, int columns) {
  if (found == rows * at(columns)) return;
  throw InvariantError("linear attention: " + std::string(name) + " has " + std::to_string(found) +
                       " elements, not " + std::to_string(rows) + " x " + std::to_string(columns));
}

template <typename Element>
void check_shape(const std::vector<Element>& q, const std::vector<Element>& k,
                 const std::vector<Element>& v, const std::vector<Element>& rp,
                 const LinearShape& shape) {
  if (shape.queries < 1 || shape.keys < 1 || shape.width < 1 || shape.value_width < 1 ||
      shape.horizon < -1 || shape.offset < 0 || (shape.offset > 0 && shape.horizon >= 0)) {
    throw InvariantError("linear attention: " + std::to_string(shape.queries) + " queries, " +
                         std::to_string(shape.keys) + " keys, widths " +
                         std::to_string(shape.width) + " and " + std::to_string(shape.value_width) +
                         ", horizon " + std::to_string(shape.horizon) + ", offset " +
                         std::to_string(shape.offset));
  }
  check_size("Q", q.size(), at(shape.queries), shape.width);
  check_size("K", k.size(), at(shape.keys), shape.width);
  check_size("V", v.size(), at(shape.keys), shape.value_width);
  check_size("RP", rp.size(), shape.horizon < 0 ? 0 : 2 * at(shape.horizon) + 1, shape.width);
}

// out[c] += sum over r of weights[r] * rows[r][c]. Four rows at a time, so that
// out is fetched and stored once for the four.
template <typename Number, typename Weight, typename Element>
void add_weighted_rows(const Weight* weights, std::size_t count, const Element* rows,
                       std::size_t columns, Number* __restrict out) {
  const auto number = [](auto value) { return static_cast<Number>(value); };
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4) {
    const Element* row = rows + r * columns;
    const Number w0 = number(weights[r]), w1 = number(weights[r + 1]);
    const Number w2 = number(weights[r + 2]), w3 = number(weights[r + 3]);
    for (std::size_t c = 0; c < columns; ++c) {
      out[c] += (w0 * number(row[c]) + w1 * number(row[columns + c])) +
                (w2 * number(row[2 * columns + c]) + w3 * number(row[3 * columns + c]));
    }
  }
  for (; r < count; ++r) {
    const Number weight = number(weights[r]);
    for (std::size_t c = 0; c < columns; ++c) out[c] += weight * number(rows[r * columns + c]);
  }
}

// Algorithm 1: S = sum phi(K_j) V_j^T and z = sum phi(K_j) over the keys so far.
// Element holds operands and phi, Number their sums: double for both, or 32-bit
// codes and 64-bit sums.
template <typename Number, typename Element>
class KernelState {
 public:
  KernelState(int width, int value_width)
      : columns_(at(value_width)), sums_(at(width) * columns_, 0), norm_(at(width), 0) {}

  void take_key(const std::vector<Element>& phi_k, const Element* value) {
    for (std::size_t l = 0; l < norm_.size(); ++l) {
      const Element weight = phi_k[l];
      Number* __restrict row = sums_.data() + l * columns_;
      for (std::size_t c = 0; c < columns_; ++c) row[c] += static_cast<Number>(weight * value[c]);
      norm_[l] += static_cast<Number>(weight);
    }
  }

  void answer(const std::vector<Element>& phi_q, Number* numerator, Number& denominator) const {
    add_weighted_rows(phi_q.data(), phi_q.size(), sums_.data(), columns_, numerator);
    for (std::size_t l = 0; l < norm_.size(); ++l)
      denominator += static_cast<Number>(phi_q[l]) * norm_[l];
  }

 private:
  std::size_t columns_;
  std::vector<Number> sums_;
  std::vector<Number> norm_;
};

// Algorithm 2, from the definition. Of the keys that query i sees, [0, first)
// lie k or more before it and share W_0, [last, visible) lie k or more after it
// and share W_2k, and those between have a weight each:
//   first = i - k + 1 in 0..Lk,  last = i + k in first..visible.
// With k = 0 the middle is empty and each key is in one of the outer parts.
template <typename Number, typename Element>
class PositionTerms {
 public:
  // `phi_rp` is [2k+1, d]; it is kept transposed, so that W is a sum of rows.
  PositionTerms(const std::vector<Element>& phi_rp, const std::vector<Element>& v,
                const LinearShape& shape)
      : shape_(shape),
        columns_(at(shape.value_width)),
        v_(v),
        offsets_(2 * at(shape.horizon) + 1),
        phi_rp_(phi_rp.size()),
        weights_(offsets_),
        before_(columns_, 0),
        after_(columns_, 0) {
    for (std::size_t l = 0; l < at(shape.width); ++l) {
      for (std::size_t n = 0; n < offsets_; ++n)
        phi_rp_[l * offsets_ + n] = phi_rp[n * at(shape.width) + l];
    }
    after_from_ = shape.causal ? shape.keys : 0;
    for (int j = after_from_; j < shape.keys; ++j) add_value(j, 1, after_);
  }

  /// Queries must come in order, 0, 1, ...
  void answer(int i, const std::vector<Element>& phi_q, Number* numerator, Number& denominator) {
    const int visible = shape_.visible(i);
    const int first = clip(std::int64_t{i} - shape_.horizon + 1, 0, shape_.keys);
    const int last = clip(std::int64_t{i} + shape_.horizon, first, visible);
    std::fill(weights_.begin(), weights_.end(), Number{0});
    add_weighted_rows(phi_q.data(), phi_q.size(), phi_rp_.data(), offsets_, weights_.data());
    for (; before_to_ < first; ++before_to_) add_value(before_to_, 1, before_);
    add_part(weights_.front(), first, before_, numerator, denominator);
    if (last > first) {
      // The first of them has offset first - i and weight W_(first - i + k).
      const Number* weights = weights_.data() + (first - i + shape_.horizon);
      add_weighted_rows(weights, at(last - first), v_.data() + at(first) * columns_, columns_,
                        numerator);
      for (int j = 0; j < last - first; ++j) denominator += weights[j];
    }
    // Under the mask last is visible, and nothing lies after the query.
    for (; after_from_ < last; ++after_from_) add_value(after_from_, -1, after_);
    add_part(weights_.back(), visible - last, after_, numerator, denominator);
  }

 private:
  static int clip(std::int64_t x, int low, int high) {
    return static_cast<int>(std::clamp<std::int64_t>(x, low, high));
  }

  void add_value(int j, Element sign, std::vector<Number>& sum) {
    const Element* value = v_.data() + at(j) * columns_;
    for (std::size_t c = 0; c < columns_; ++c) sum[c] += static_cast<Number>(sign * value[c]);
  }

  // An empty part adds nothing: what a float's running difference leaves is no key.
  void add_part(Number weight, int keys, const std::vector<Number>& sum, Number* numerator,
                Number& denominator) const {
    if (keys == 0) return;
    add_weighted_rows(&weight, 1, sum.data(), columns_, numerator);
    denominator += weight * static_cast<Number>(keys);
  }

  const LinearShape& shape_;
  std::size_t columns_;
  const std::vector<Element>& v_;
  std::size_t offsets_;
  std::vector<Element> phi_rp_;
  std::vector<Number> weights_;  ///< W of the query in hand.
  std::vector<Number> before_;   ///< Sum of V over [0, before_to_).
  int before_to_ = 0;
  std::vector<Number> after_;  ///< Sum of V over [after_from_, Lk), not causal.
  int after_from_ = 0;
};

// One pass: key i before query i when causal, else every key before every query.
// phi_*(x) gives an Element.
template <typename Number, typename Element, typename PhiQ, typename PhiK, typename PhiRp>
void attend(const std::vector<Element>& q, const std::vector<Element>& k,
            const std::vector<Element>& v, const std::vector<Element>& rp, const LinearShape& shape,
            const PhiQ& phi_q, const PhiK& phi_k, const PhiRp& phi_rp,
            std::vector<Number>& numerator, std::vector<Number>& denominator) {
  check_shape(q, k, v, rp, shape);
  const std::size_t width = at(shape.width);
  const std::size_t columns = at(shape.value_width);
  numerator.assign(at(shape.queries) * columns, Number{0});
  denominator.assign(at(shape.queries), Number{0});
  std::vector<Element> positions(rp.size());
  std::transform(rp.begin(), rp.end(), positions.begin(), phi_rp);
  LinearShape term_shape = shape;
  if (shape.horizon < 0) {  // A row of zeros weighs every key with 0; never asked.
    term_shape.horizon = 0;
    positions.assign(width, Element{0});
  }
  PositionTerms<Number, Element> terms(positions, v, term_shape);
  KernelState<Number, Element> state(shape.width, shape.value_width);
  std::vector<Element> features(width);
  int taken = 0;
  for (int i = 0; i < shape.queries; ++i) {
    for (; taken < shape.visible(i); ++taken) {
      std::transform(k.data() + at(taken) * width, k.data() + at(taken + 1) * width,
                     features.begin(), phi_k);
      state.take_key(features, v.data() + at(taken) * columns);
    }
    std::transform(q.data() + at(i) * width, q.data() + at(i + 1) * width, features.begin(), phi_q);
    Number* row = numerator.data() + at(i) * columns;
    state.answer(features, row, denominator[at(i)]);
    if (shape.horizon >= 0) terms.answer(i, features, row, denominator[at(i)]);
  }
}

}  // namespace

double phi_elu1(double x) { return x >= 0.0 ? x + 1.0 : std::exp(x); }

LinearResult linear_float(const std::vector<double>& q, const std::vector<double>& k,
                          const std::vector<double>& v, const std::vector<double>& rp,
                          const LinearShape& shape) {
  LinearResult result;
  attend<double>(q, k, v, rp, shape, phi_elu1, phi_elu1, phi_elu1, result.numerator,
                 result.denominator);
  const std::size_t columns = at(shape.value_width);
  result.out.resize(result.numerator.size());
  for (std::size_t i = 0; i < result.out.size(); ++i)
    result.out[i] = result.numerator[i] / result.denominator[i / columns];
  return result;
}

double phi_scale(double scale_in) {
  const double scale_out = phi_elu1(127.0 * scale_in) / 255.0;
  if (!(scale_in > 0.0) || !std::isfinite(scale_out))
    throw InvariantError("phi table: input scale " + number_text(scale_in));
  return scale_out;
}

PhiTable make_phi_table(double scale_in, double scale_out) {
  if (!(scale_in > 0.0) || !(scale_out > 0.0) || !std::isfinite(128.0 * scale_in) ||
      !std::isfinite(scale_out)) {
    throw InvariantError("phi table: scales " + number_text(scale_in) + " and " +
                         number_text(scale_out));
  }
  PhiTable table{};
  for (int code = -128; code < 128; ++code) {
    // nearbyint under the default rounding mode is half to even.
    const double entry = std::nearbyint(phi_elu1(code * scale_in) / scale_out);
    table[at(code + 128)] = static_cast<std::uint8_t>(std::clamp(entry, 1.0, 255.0));
  }
  return table;
}

std::int64_t linear_normalise(std::int64_t numerator, std::int64_t denominator,
                              std::int64_t& saturated) {
  const Reciprocal inverse = reciprocal(static_cast<std::uint64_t>(denominator));
  const int pre_shift = std::max(0, leading_one(static_cast<std::uint64_t>(denominator)) - 31);
  const std::int64_t product =
      round_shift(numerator, pre_shift) * static_cast<std::int64_t>(inverse.mantissa);
  const std::int64_t out =
      round_shift(product, inverse.shift - pre_shift - kLinearOutputFractionBits);
  const std::int64_t stored = saturate(out, 32);
  saturated += stored != out ? 1 : 0;
  return stored;
}

LinearFixedResult linear_fixed(const std::vector<std::int32_t>& q_q,
                               const std::vector<std::int32_t>& k_q,
                               const std::vector<std::int32_t>& v_q,
                               const std::vector<std::int32_t>& rp_q, const LinearShape& shape,
                               const PhiTable& phi_q, const PhiTable& phi_k,
                               const PhiTable& phi_rp) {
  if (std::int64_t{shape.keys} * shape.width > kLinearLargestReach) {
    throw InvariantError("linear attention: " + std::to_string(shape.keys) + " keys of width " +
                         std::to_string(shape.width) + " are more than " +
                         std::to_string(kLinearLargestReach));
  }
  const auto lookup = [](const PhiTable& table) {
    return [&table](std::int32_t code) -> std::int32_t { return table[at(code + 128)]; };
  };
  LinearFixedResult result;
  attend<std::int64_t>(q_q, k_q, v_q, rp_q, shape, lookup(phi_q), lookup(phi_k), lookup(phi_rp),
                       result.numerator_q, result.denominator_q);
  const std::size_t columns = at(shape.value_width);
  result.out_q.resize(result.numerator_q.size());
  for (std::size_t i = 0; i < result.out_q.size(); ++i) {
    result.out_q[i] = linear_normalise(result.numerator_q[i], result.denominator_q[i / columns],
                                       result.saturated);
  }
  return result;
}

}  // namespace quadrille::model
