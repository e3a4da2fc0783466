#include "model/attention/damf.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {

SingularTriple leading_singular_triple(const std::vector<double>& wq, const std::vector<double>& wk,
                                       int rows, int columns) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Matrix> q(wq.data(), rows, columns);
  const Eigen::Map<const Matrix> k(wk.data(), rows, columns);
  // M = Q K^T has rank <= columns: with thin factorisations Q = Uq Cq and
  // K = Uk Ck only the small core Cq Ck^T needs an SVD.
  const int inner = std::min(rows, columns);
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr_q(q);
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr_k(k);
  const Eigen::MatrixXd thin = Eigen::MatrixXd::Identity(rows, inner);
  const Eigen::MatrixXd basis_q = qr_q.householderQ() * thin;
  const Eigen::MatrixXd basis_k = qr_k.householderQ() * thin;
  const Eigen::MatrixXd core = (basis_q.transpose() * q) * (basis_k.transpose() * k).transpose();
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(core, Eigen::ComputeFullU | Eigen::ComputeFullV);
  // Without a leading direction every score is zero, whatever the basis.
  if (!(svd.singularValues()[0] > 0.0)) {
    const std::vector<double> zeros(static_cast<std::size_t>(rows), 0.0);
    return {0.0, zeros, zeros};
  }
  Eigen::VectorXd u = basis_q * svd.matrixU().col(0);
  Eigen::VectorXd v = basis_k * svd.matrixV().col(0);
  Eigen::Index peak = 0;
  u.cwiseAbs().maxCoeff(&peak);
  if (u[peak] < 0) {
    u = -u;
    v = -v;
  }
  return {svd.singularValues()[0], {u.begin(), u.end()}, {v.begin(), v.end()}};
}

namespace {

// Extremes of s and t over what a row may see, and the running maximum.
template <typename Number>
class Maximum {
 public:
  Maximum(const std::vector<Number>& s, const std::vector<Number>& t, const DamfSettings& settings)
      : s_(s), t_(t), settings_(settings) {}

  /// A_max of row m: rows must be asked for in order, 0, 1, ...
  Number row(std::size_t m) {
    const std::size_t visible = settings_.causal ? m + 1 : t_.size();
    Number row_best = best_of_row(m, visible);
    if (settings_.maximum == DamfMaximum::kRow) return row_best;
    if (!settings_.causal && m == 0) {
      for (std::size_t i = 1; i < s_.size(); ++i)
        row_best = std::max(row_best, best_of_row(i, visible));
    }
    running_ = m == 0 ? row_best : settings_.causal ? std::max(running_, row_best) : running_;
    return running_;
  }

 private:
  Number best_of_row(std::size_t m, std::size_t visible) const {
    Number best = 0;
    for (std::size_t n = 0; n < visible; ++n) {
      Number score = s_[m] * t_[n];
      if (settings_.maximum == DamfMaximum::kAbs && score < 0) score = -score;
      best = n == 0 ? score : std::max(best, score);
    }
    return best;
  }

  const std::vector<Number>& s_;
  const std::vector<Number>& t_;
  const DamfSettings& settings_;
  Number running_ = 0;
};

}  // namespace

DamfResult damf_float(const std::vector<double>& s, const std::vector<double>& t,
                      const std::vector<double>& v, int width, double sigma,
                      const DamfSettings& settings) {
  const std::size_t length = s.size();
  const auto columns = static_cast<std::size_t>(width);
  DamfResult result;
  result.out.assign(length * columns, 0.0);
  std::vector<double> left = s;
  if (settings.keep_sigma) {
    for (double& value : left) value *= sigma;
  }
  Maximum<double> maximum(left, t, settings);
  std::vector<double> weight(length);
  for (std::size_t m = 0; m < length; ++m) {
    const std::size_t visible = settings.causal ? m + 1 : length;
    const double a_max = maximum.row(m);
    double score_sum = 0.0;
    for (std::size_t n = 0; n < visible; ++n) {
      double score = left[m] * t[n];
      if (settings.negative == DamfNegative::kClamp) score = std::max(score, 0.0);
      weight[n] = score;
      score_sum += score;
    }
    const double denominator = static_cast<double>(visible) * a_max + score_sum;  // (13)
    const bool uniform = !(a_max > 0.0) || !(denominator > 0.0);
    result.uniform_rows += uniform ? 1 : 0;
    for (std::size_t n = 0; n < visible; ++n) {
      if (uniform) {
        weight[n] = 1.0 / static_cast<double>(visible);
      } else if (settings.mode == DamfMode::kShift) {  // (15)-(17)
        const double magnitude = std::fabs(weight[n]);
        const double power =
            magnitude > 0.0
                ? std::copysign(std::ldexp(1.0, power_exponent(magnitude, settings.rounding)),
                                weight[n])
                : 0.0;
        weight[n] = std::ldexp(std::ldexp(1.0, power_exponent(a_max, settings.rounding)) + power,
                               -power_exponent(denominator, settings.rounding));
      } else {  // (13); the collapsed form is the same sum in another order
        weight[n] = (a_max + weight[n]) / denominator;
      }
    }
    for (std::size_t n = 0; n < visible; ++n) {
      for (std::size_t c = 0; c < columns; ++c)
        result.out[m * columns + c] += weight[n] * v[n * columns + c];
    }
  }
  return result;
}

namespace {

std::int64_t clamped(std::int64_t score, const DamfSettings& settings) {
  return settings.negative == DamfNegative::kClamp ? std::max<std::int64_t>(score, 0) : score;
}

// One row of formula (17): every weight is two powers of two.
struct ShiftRow {
  int exponent_max;
  int exponent_denominator;
};

std::int64_t shift_term(std::int64_t value, std::int64_t score, const ShiftRow& row,
                        const PowerRule& rule) {
  std::int64_t term = round_shift(value, -row.exponent_max);
  if (score != 0) {
    const int exponent = power_exponent(static_cast<std::uint64_t>(std::llabs(score)), rule);
    const std::int64_t shifted = round_shift(value, -exponent);
    term += score > 0 ? shifted : -shifted;
  }
  return term;
}

}  // namespace

DamfFixedResult damf_fixed(const std::vector<std::int32_t>& s_q,
                           const std::vector<std::int32_t>& t_q,
                           const std::vector<std::int32_t>& v_q, int width, const PowerRule& rule,
                           const DamfSettings& settings) {
  const std::size_t length = s_q.size();
  const auto columns = static_cast<std::size_t>(width);
  const std::vector<std::int64_t> s(s_q.begin(), s_q.end());
  const std::vector<std::int64_t> t(t_q.begin(), t_q.end());
  DamfFixedResult result;
  result.out_q.assign(length * columns, 0);
  Maximum<std::int64_t> maximum(s, t, settings);
  for (std::size_t m = 0; m < length; ++m) {
    const std::size_t visible = settings.causal ? m + 1 : length;
    const std::int64_t a_max = maximum.row(m);
    std::int64_t denominator = static_cast<std::int64_t>(visible) * a_max;
    for (std::size_t n = 0; n < visible; ++n) denominator += clamped(s[m] * t[n], settings);
    const bool uniform = a_max <= 0 || denominator <= 0;
    result.uniform_rows += uniform ? 1 : 0;
    const bool shift = settings.mode == DamfMode::kShift && !uniform;
    const bool each = shift && settings.shift_order == DamfShiftOrder::kEach;
    ShiftRow row{0, 0};
    Reciprocal inverse;
    if (shift) {
      row = {power_exponent(static_cast<std::uint64_t>(a_max), rule),
             power_exponent(static_cast<std::uint64_t>(denominator), rule)};
    } else {
      inverse = reciprocal(uniform ? visible : static_cast<std::uint64_t>(denominator));
    }
    for (std::size_t c = 0; c < columns; ++c) {
      std::int64_t sum = 0;
      for (std::size_t n = 0; n < visible; ++n) {
        const std::int64_t value = v_q[n * columns + c];
        const std::int64_t score = clamped(s[m] * t[n], settings);
        if (uniform) {
          sum += value;
        } else if (each) {
          sum += floor_shift(shift_term(value, score, row, rule),
                             row.exponent_denominator - settings.guard_bits);
        } else if (shift) {
          sum += shift_term(value, score, row, rule);
        } else {
          sum += (a_max + score) * value;
        }
      }
      std::int64_t out = 0;
      if (each) {
        out = round_shift(sum, settings.guard_bits - kDamfOutputFractionBits);
      } else if (shift) {
        out = round_shift(sum, row.exponent_denominator - kDamfOutputFractionBits);
      } else {
        out = round_shift(sum * static_cast<std::int64_t>(inverse.mantissa),
                          inverse.shift - kDamfOutputFractionBits);
      }
      const std::int64_t stored = saturate(out, 32);
      result.saturated += stored != out ? 1 : 0;
      result.out_q[m * columns + c] = stored;
    }
  }
  return result;
}

}  // namespace quadrille::model
