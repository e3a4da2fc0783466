// Sinkhorn normalisation at level `float`: the scaling form on natural
// logarithms, f <- -log sum_j exp(L_ij + g_j) and its mirror image.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/attention/sinkhorn.h"
#include "model/errors.h"

namespace quadrille::model {
namespace {

// The elements that line `line` of one side sees: [begin, end) of the other's.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

Range visible_of_row(const SinkhornShape& shape, std::size_t row) {
  const auto columns = static_cast<std::size_t>(shape.columns);
  return {0, shape.causal ? std::min(row + 1, columns) : columns};
}

Range visible_of_column(const SinkhornShape& shape, std::size_t column) {
  const auto rows = static_cast<std::size_t>(shape.rows);
  return {shape.causal ? std::min(column, rows) : 0, rows};
}

// sum_k a_k b_k in eight interleaved sums, which compilers turn into vectors.
double dot(const double* a, const double* b, std::size_t count) {
  std::array<double, 8> sums{};
  std::size_t k = 0;
  for (; k + 8 <= count; k += 8)
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += a[k + lane] * b[k + lane];
  for (; k < count; ++k) sums[0] += a[k] * b[k];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

// log sum_k exp(A_lk + s_k) of every line l, again and again for slowly changing
// s. The exponentials of one s, relative to each line's largest, are kept; while
// no s_k has moved further than kReach from it, a sum is a product of the kept
// matrix with exp(s - kept s). A line's largest kept entry is 1, so its sum is
// at least exp(-kReach); entries below exp(kNothing) are dropped and could give
// no more than exp(kNothing + 2 kReach) of it.
class LogSums {
 public:
  /// `a` line by line; `ranges`: what each line sees of `length` elements.
  LogSums(const double* a, std::size_t length, std::vector<Range> ranges)
      : a_(a), length_(length), ranges_(std::move(ranges)) {}

  /// Minus infinity for a line that sees nothing.
  std::vector<double> operator()(const std::vector<double>& s) {
    if (!near(s)) keep(s);
    std::vector<double> weights(length_);
    for (std::size_t k = 0; k < length_; ++k) weights[k] = std::exp(s[k] - kept_s_[k]);
    std::vector<double> result(ranges_.size());
    for (std::size_t line = 0; line < ranges_.size(); ++line) {
      const auto [begin, end] = ranges_[line];
      const double* row = kept_.data() + line * length_;
      result[line] =
          largest_[line] + std::log(dot(row + begin, weights.data() + begin, end - begin));
    }
    return result;
  }

 private:
  static constexpr double kReach = 100.0;
  static constexpr double kNothing = -600.0;

  bool near(const std::vector<double>& s) const {
    if (kept_s_.empty()) return false;
    for (std::size_t k = 0; k < length_; ++k)
      if (std::fabs(s[k] - kept_s_[k]) > kReach) return false;
    return true;
  }

  void keep(const std::vector<double>& s) {
    kept_s_ = s;
    kept_.assign(ranges_.size() * length_, 0.0);
    largest_.assign(ranges_.size(), 0.0);
    for (std::size_t line = 0; line < ranges_.size(); ++line) {
      const auto [begin, end] = ranges_[line];
      if (begin == end) continue;  // Its sum is 0, the logarithm minus infinity.
      const double* a = a_ + line * length_;
      double* row = kept_.data() + line * length_;
      double largest = -std::numeric_limits<double>::infinity();
      for (std::size_t k = begin; k < end; ++k) largest = std::max(largest, row[k] = a[k] + s[k]);
      for (std::size_t k = begin; k < end; ++k) {
        const double x = row[k] - largest;
        row[k] = x < kNothing ? 0.0 : std::exp(x);
      }
      largest_[line] = largest;
    }
  }

  const double* a_;
  std::size_t length_;
  std::vector<Range> ranges_;
  std::vector<double> kept_s_;
  std::vector<double> kept_;
  std::vector<double> largest_;
};

std::vector<double> transposed(const double* a, std::size_t rows, std::size_t columns) {
  std::vector<double> result(rows * columns);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) result[j * rows + i] = a[i * columns + j];
  return result;
}

// One matrix: its scalings and the maps T_r and T_c.
class Matrix {
 public:
  std::vector<double> f;
  std::vector<double> g;

  Matrix(const double* logits, const SinkhornShape& shape)
      : f(static_cast<std::size_t>(shape.rows), 0.0),
        g(static_cast<std::size_t>(shape.columns), 0.0),
        shape_(shape),
        logits_(logits),
        rows_(static_cast<std::size_t>(shape.rows)),
        columns_(static_cast<std::size_t>(shape.columns)),
        across_(transposed(logits, rows_, columns_)),
        symmetric_(!shape.causal && rows_ == columns_ &&
                   std::equal(across_.begin(), across_.end(), logits)),
        row_sums_(logits, columns_, ranges(rows_, visible_of_row)),
        column_sums_(across_.data(), rows_, ranges(columns_, visible_of_column)) {}
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;

  std::vector<double> row_map() { return solved(row_sums_(g), 0.0, f); }
  std::vector<double> column_map() {
    return solved(column_sums_(f),
                  std::log(static_cast<double>(rows_) / static_cast<double>(columns_)), g);
  }
  /// T_c(f) is then T_r(g), operation by operation.
  bool mirrored() const { return symmetric_ && f == g; }

  void write_kernel(double* k) const {
    for (std::size_t i = 0; i < rows_; ++i) {
      const Range range = visible_of_row(shape_, i);
      for (std::size_t j = range.begin; j < range.end; ++j)
        k[i * columns_ + j] = std::exp(logits_[i * columns_ + j] + (f[i] + g[j]));
    }
  }

 private:
  std::vector<Range> ranges(std::size_t lines,
                            Range (*visible)(const SinkhornShape&, std::size_t)) const {
    std::vector<Range> result(lines);
    for (std::size_t line = 0; line < lines; ++line) result[line] = visible(shape_, line);
    return result;
  }

  // target - sum; a line that sees nothing keeps its scaling.
  static std::vector<double> solved(std::vector<double> log_sums, double target,
                                    const std::vector<double>& old) {
    for (std::size_t k = 0; k < log_sums.size(); ++k)
      log_sums[k] = std::isinf(log_sums[k]) ? old[k] : target - log_sums[k];
    return log_sums;
  }

  SinkhornShape shape_;
  const double* logits_;
  std::size_t rows_;
  std::size_t columns_;
  std::vector<double> across_;
  bool symmetric_;
  LogSums row_sums_;
  LogSums column_sums_;
};

// |line sum / target - 1| of a line with scaling `old` that T would make `next`.
double largest_residual(const std::vector<double>& old, const std::vector<double>& next) {
  double largest = 0.0;
  for (std::size_t k = 0; k < old.size(); ++k)
    largest = std::max(largest, std::fabs(std::expm1(old[k] - next[k])));
  return largest;
}

void average(std::vector<double>& old, const std::vector<double>& next) {
  for (std::size_t k = 0; k < old.size(); ++k) old[k] = (old[k] + next[k]) / 2.0;
}

// The half-step after the present state, not yet taken; making it measures the
// present state.
struct NextStep {
  std::vector<double> f;  ///< T_r(g), or empty.
  std::vector<double> g;  ///< T_c(f), or empty.
  SinkhornResidual residual;
};

NextStep next_step(Matrix& matrix, SinkhornUpdate update, int steps_done) {
  NextStep step;
  const bool damped = update == SinkhornUpdate::kDamped;
  if (damped || steps_done % 2 == 0) {
    step.f = matrix.row_map();
    step.residual.row = largest_residual(matrix.f, step.f);
  }
  if (damped && matrix.mirrored()) {
    step.g = step.f;
    step.residual.column = step.residual.row;
  } else if (damped || steps_done % 2 == 1) {
    step.g = matrix.column_map();
    step.residual.column = largest_residual(matrix.g, step.g);
  }
  return step;
}

void take(Matrix& matrix, NextStep step, SinkhornUpdate update) {
  if (update == SinkhornUpdate::kDamped) {
    average(matrix.f, step.f);
    average(matrix.g, step.g);
  } else if (!step.f.empty()) {
    matrix.f = std::move(step.f);
  } else {
    matrix.g = std::move(step.g);
  }
}

// Iterates one matrix; returns the half-steps done.
int iterate(Matrix& matrix, const SinkhornSettings& settings,
            std::vector<SinkhornResidual>& residuals) {
  for (int done = 0;; ++done) {
    if (settings.half_steps == 0) return 0;
    NextStep step = next_step(matrix, settings.update, done);
    if (done > 0) {
      const auto at = static_cast<std::size_t>(done - 1);
      if (residuals.size() <= at) residuals.resize(at + 1);
      residuals[at].row = std::max(residuals[at].row, step.residual.row);
      residuals[at].column = std::max(residuals[at].column, step.residual.column);
      const double larger = std::max(step.residual.row, step.residual.column);
      if (settings.tolerance > 0.0 && larger <= settings.tolerance) return done;
    }
    if (done == settings.half_steps) return done;
    take(matrix, std::move(step), settings.update);
  }
}

void check_size(std::size_t found, std::size_t expected, const char* what) {
  if (found != expected)
    throw InvariantError("sinkhorn: " + std::to_string(found) + " " + what + ", the shape says " +
                         std::to_string(expected));
}

// Logarithms of the scalings of matrix b, `count` each.
std::vector<double> logarithms(const std::vector<double>& scalings, std::size_t b,
                               std::size_t count) {
  std::vector<double> result(count);
  for (std::size_t k = 0; k < count; ++k) result[k] = std::log(scalings[b * count + k]);
  return result;
}

}  // namespace

SinkhornResult sinkhorn_float(const std::vector<double>& logits, const SinkhornShape& shape,
                              const SinkhornSettings& settings, const std::vector<double>& c0,
                              const std::vector<double>& r0) {
  const auto batch = static_cast<std::size_t>(shape.batch);
  const auto rows = static_cast<std::size_t>(shape.rows);
  const auto columns = static_cast<std::size_t>(shape.columns);
  check_size(logits.size(), batch * rows * columns, "logits");
  if (!c0.empty()) check_size(c0.size(), batch * columns, "starting column scalings");
  if (!r0.empty()) check_size(r0.size(), batch * rows, "starting row scalings");
  SinkhornResult result;
  result.k.assign(logits.size(), 0.0);
  for (std::size_t b = 0; b < batch; ++b) {
    Matrix matrix(logits.data() + b * rows * columns, shape);
    if (!c0.empty()) matrix.g = logarithms(c0, b, columns);
    if (!r0.empty()) {
      matrix.f = logarithms(r0, b, rows);
    } else if (settings.update == SinkhornUpdate::kDamped && rows == columns) {
      matrix.f = matrix.g;
    }
    result.iterations.push_back(iterate(matrix, settings, result.residuals));
    matrix.write_kernel(result.k.data() + b * rows * columns);
    result.log_r.insert(result.log_r.end(), matrix.f.begin(), matrix.f.end());
    result.log_c.insert(result.log_c.end(), matrix.g.begin(), matrix.g.end());
  }
  return result;
}

SinkhornResidual sinkhorn_residual(const std::vector<double>& k, const SinkhornShape& shape) {
  const auto batch = static_cast<std::size_t>(shape.batch);
  const auto rows = static_cast<std::size_t>(shape.rows);
  const auto columns = static_cast<std::size_t>(shape.columns);
  check_size(k.size(), batch * rows * columns, "elements of K");
  const double target = static_cast<double>(rows) / static_cast<double>(columns);
  SinkhornResidual residual;
  for (std::size_t b = 0; b < batch; ++b) {
    std::vector<double> column_sums(columns, 0.0);
    for (std::size_t i = 0; i < rows; ++i) {
      double sum = 0.0;
      for (std::size_t j = 0; j < columns; ++j) {
        const double element = k[(b * rows + i) * columns + j];
        sum += element;
        column_sums[j] += element;
      }
      residual.row = std::max(residual.row, std::fabs(sum - 1.0));
    }
    for (std::size_t j = 0; j < columns; ++j) {
      const Range range = visible_of_column(shape, j);
      if (range.begin == range.end) continue;
      residual.column = std::max(residual.column, std::fabs(column_sums[j] / target - 1.0));
    }
  }
  return residual;
}

}  // namespace quadrille::model
