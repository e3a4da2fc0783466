#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "app/operators/operator.h"
#include "model/attention/sinkhorn.h"
#include "model/errors.h"
#include "model/numerics/product.h"

namespace quadrille::app {
namespace {

using model::SinkhornForm;
using model::SinkhornUpdate;

constexpr double kLog2E = 1.44269504088896340736;
constexpr int kLargestHalfSteps = 1000000;
/// Score codes are sums of products of 8-bit codes in 32 bits.
constexpr std::int64_t kWidestScores = std::int64_t{1} << 16;

/// 2^x, kept inside double's range: extreme logits have scalings beyond it.
double finite_power(double x) { return std::exp2(std::clamp(x, -1022.0, 1023.0)); }

/// The value of a packed reciprocal over K's 24 fraction bits.
double packed_value(std::int64_t code) {
  const auto mantissa = static_cast<double>(code & 0x1ffff);
  const auto shift = static_cast<int>((code >> 24) & 0x3f);
  return std::ldexp(mantissa, model::kKernelFractionBits - shift);
}

/// [rows, width] -> [width, rows]
template <typename T>
std::vector<T> transposed(const std::vector<T>& matrix, std::size_t rows, std::size_t width) {
  std::vector<T> result(matrix.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < width; ++j) result[j * rows + i] = matrix[i * width + j];
  }
  return result;
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

class SinkhornOperator : public Operator {
 public:
  SinkhornOperator(const TensorSource& source, Settings settings, const OperatorOptions& options)
      : path_(source.path()) {
    read_matrix(source);
    read_values(source);
    read_settings(settings);
    read_starts(source);
    settings.finish();
    refuse_other_tensors(source, c_ ? std::vector<std::string>{"C", "V", "c0", "r0"}
                                    : std::vector<std::string>{"Q", "K", "V", "c0", "r0"});
    assume(options, source.has_values());
    problem_.kernel_wanted = !v_ || !options.result_only;
    if (!source.has_values()) return;
    make_logits();
    make_integers(source);
  }

  OperatorResult run_float() const override {
    const model::SinkhornSettings& settings = problem_.integer.settings;
    model::SinkhornResult sinkhorn =
        model::sinkhorn_float(logits_, shape(), settings, starts(c0_), starts(r0_));
    OperatorResult result;
    if (v_) {
      const auto columns = static_cast<std::size_t>(shape().columns);
      result.reals["out"] = {out_shape(),
                             model::product_float(sinkhorn.k, v_->reals(), columns, v_->dim(1))};
    }
    if (settings.form != SinkhornForm::kMatrix) {
      for (double& log : sinkhorn.log_c) log = finite_power(log * kLog2E);
      result.reals["c"] = {lines(shape().columns), std::move(sinkhorn.log_c)};
    }
    result.reals["iterations"] = {per_matrix(),
                                  {sinkhorn.iterations.begin(), sinkhorn.iterations.end()}};
    if (problem_.kernel_wanted) {
      add_errors(result, sinkhorn.k);
      result.reals["K"] = {matrix_shape(), std::move(sinkhorn.k)};
    }
    return result;
  }

  OperatorResult run_fixed() const override {
    model::SinkhornFixedResult sinkhorn = model::sinkhorn_fixed(codes_, problem_.integer, g0_, f0_);
    CodeMap outputs;
    if (v_) {
      outputs["out"] = model::sinkhorn_apply_fixed(sinkhorn.k_q, v_codes_.q, shape(), v_->side(1),
                                                   sinkhorn.saturated);
    }
    outputs["g"] = std::move(sinkhorn.g_q);
    outputs["iterations"] = {sinkhorn.iterations.begin(), sinkhorn.iterations.end()};
    if (problem_.kernel_wanted) outputs["kernel"] = std::move(sinkhorn.k_q);
    OperatorResult result = collect(outputs);
    result.saturated = sinkhorn.saturated;
    // Also where K itself is not wanted.
    if (!problem_.kernel_wanted) add_errors(result, kernel_values(sinkhorn.k_q));
    return result;
  }

  ChipJob lower(const hw::ChipConfig& chip) const override {
    ChipJob job;
    job.mapping = hw::map_sinkhorn(chip, problem_);
    job.expected = expected_work();
    if (c_) {
      job.inputs["C"] = widen(codes_);
    } else {
      job.inputs["Q"] = widen(q_codes_.q);
      job.inputs["K"] = widen(k_codes_.q);
    }
    if (problem_.warm_columns) job.inputs["g0"] = widen(g0_);
    if (problem_.warm_rows) job.inputs["f0"] = widen(f0_);
    if (v_) job.inputs["V"] = widen(v_codes_.q);
    return job;
  }

  OperatorResult collect(const CodeMap& outputs) const override {
    OperatorResult result;
    if (problem_.kernel_wanted) {
      add_integer(result, "K", matrix_shape(), outputs.at("kernel"),
                  std::ldexp(1.0, -model::kKernelFractionBits));
      add_errors(result, result.reals.at("K").values);
    }
    if (problem_.integer.settings.form != SinkhornForm::kMatrix)
      add_scalings(result, outputs.at("g"));
    add_integer(result, "iterations", per_matrix(), outputs.at("iterations"), 1.0);
    if (v_) {
      add_integer(result, "out", out_shape(), outputs.at("out"),
                  std::ldexp(v_codes_.scale, -model::kSinkhornOutputFractionBits));
    }
    return result;
  }

  /// The input K is `K_in`, since K is an output.
  std::map<std::string, double> scales() const override {
    std::map<std::string, double> scales = {
        {"logits", std::ldexp(1.0, -problem_.integer.fraction_bits)}};
    if (c_) {
      scales["C"] = c_codes_.scale;
    } else {
      scales["Q"] = q_codes_.scale;
      scales["K_in"] = k_codes_.scale;
    }
    if (v_) scales["V"] = v_codes_.scale;
    return scales;
  }
  const char* result_name() const override { return v_ ? "out" : "K"; }

 private:
  const model::SinkhornShape& shape() const { return problem_.integer.shape; }
  Shape batched(Shape shape) const {
    if (batched_) shape.insert(shape.begin(), this->shape().batch);
    return shape;
  }
  Shape matrix_shape() const { return batched({shape().rows, shape().columns}); }
  Shape lines(int count) const { return batched({count}); }
  Shape per_matrix() const { return {shape().batch}; }
  Shape out_shape() const { return {shape().rows, v_->shape()[1]}; }
  /// Starting scalings of every matrix; one set serves a whole batch.
  std::vector<double> starts(const std::optional<InputTensor>& tensor) const {
    std::vector<double> values;
    if (!tensor) return values;
    const bool shared = tensor->shape().size() == 1;
    for (int matrix = 0; matrix < (shared ? shape().batch : 1); ++matrix)
      values.insert(values.end(), tensor->reals().begin(), tensor->reals().end());
    return values;
  }

  /// Scores, weighted values and, with held K, a product per element and sweep.
  std::optional<hw::ExpectedWork> expected_work() const {
    const model::SinkhornSettings& settings = problem_.integer.settings;
    std::int64_t sweeps = 0;
    if (settings.form == SinkhornForm::kKernel) {
      if (settings.tolerance > 0.0) return std::nullopt;
      sweeps = std::int64_t{settings.half_steps} * shape().batch;
    }
    std::int64_t visible = 0;
    for (int i = 0; i < shape().rows; ++i)
      visible += shape().causal ? std::min(i + 1, shape().columns) : shape().columns;
    return hw::ExpectedWork{0, visible * (problem_.score_width + problem_.value_width + sweeps)};
  }

  void read_matrix(const TensorSource& source) {
    model::SinkhornShape& shape = problem_.integer.shape;
    if (source.has("C") || !(source.has("Q") || source.has("K"))) {
      batched_ = source.shape("C").size() == 3;
      c_.emplace(source, "C", batched_ ? Shape{-1, -1, -1} : Shape{-1, -1});
      const std::size_t rows = batched_ ? 1 : 0;
      shape.batch = batched_ ? c_->side(0) : 1;
      shape.rows = c_->side(rows);
      shape.columns = c_->side(rows + 1);
      return;
    }
    q_.emplace(source, "Q", Shape{-1, -1});
    k_.emplace(source, "K", Shape{-1, q_->shape()[1]});
    shape.rows = q_->side(0);
    shape.columns = k_->side(0);
    problem_.score_width = q_->side(1);
    if (q_->shape()[1] > kWidestScores) {
      throw InputError(source.path(), source.place("Q"),
                       fmt::format("{} wide, expected at most {}: scores have 32 bits",
                                   q_->shape()[1], kWidestScores));
    }
  }

  void read_values(const TensorSource& source) {
    if (!source.has("V")) return;
    if (batched_) {
      throw InputError(source.path(), source.place("V"),
                       "expected none with a batch of matrices C[B, n, m]");
    }
    v_.emplace(source, "V", Shape{shape().columns, -1});
    v_codes_ = v_->codes(16);
    problem_.value_width = v_->side(1);
    problem_.value_bytes = 2;
  }

  void read_settings(Settings& settings) {
    model::SinkhornInteger& integer = problem_.integer;
    model::SinkhornSettings& made = integer.settings;
    made.half_steps = settings.integer("iterations", made.half_steps, 1, kLargestHalfSteps);
    made.tolerance = settings.non_negative("tolerance", made.tolerance);
    integer.tolerance_code = model::sinkhorn_tolerance_code(std::min(made.tolerance, 32767.0));
    epsilon_ = settings.positive("epsilon", 1.0);
    if (q_) {
      scale_ = settings.positive("scale", 1.0 / std::sqrt(static_cast<double>(q_->dim(1))));
    } else if (settings.given("scale")) {
      settings.refuse("scale", "expected only with Q and K; epsilon divides C");
    }
    integer.shape.causal = settings.boolean("causal");
    if (shape().causal && shape().columns > shape().rows) {
      settings.refuse("causal", fmt::format("true with {} rows and {} columns, expected no more "
                                            "columns than rows: no row sees the last ones",
                                            shape().rows, shape().columns));
    }
    made.update = settings.choice("update", kSinkhornUpdateChoices);
    made.form = settings.choice("form", kSinkhornFormChoices);
    // The matrix form holds K by its nature.
    if (settings.choice("hold", kSinkhornHoldChoices) && made.form == SinkhornForm::kScaling)
      made.form = SinkhornForm::kKernel;
    if (made.form != SinkhornForm::kScaling && made.update == SinkhornUpdate::kDamped)
      settings.refuse("update", "damped, expected with form=scaling and hold=logits");
  }

  /// Starting scalings. A damped update needs both sides: the one not given is
  /// what the definition says (f = g in a square matrix, else 1).
  void read_starts(const TensorSource& source) {
    const model::SinkhornSettings& made = problem_.integer.settings;
    const bool damped = made.update == SinkhornUpdate::kDamped;
    read_start(source, "c0", shape().columns, c0_);
    read_start(source, "r0", shape().rows, r0_);
    if ((c0_ || r0_) && made.form != SinkhornForm::kScaling) {
      throw InputError(source.path(), source.place(c0_ ? "c0" : "r0"),
                       "expected with form=scaling and hold=logits only");
    }
    if (r0_ && !damped) {
      throw InputError(source.path(), source.place("r0"),
                       "expected with update=damped only: alternate starts on rows");
    }
    problem_.warm_columns = c0_ || r0_;
    problem_.warm_rows = damped && problem_.warm_columns;
    if (!source.has_values() || !problem_.warm_columns) return;
    const auto batch = static_cast<std::size_t>(shape().batch);
    g0_ = c0_ ? model::sinkhorn_log_codes(starts(c0_))
              : std::vector<std::int32_t>(batch * static_cast<std::size_t>(shape().columns), 0);
    if (r0_) {
      f0_ = model::sinkhorn_log_codes(starts(r0_));
    } else if (damped && shape().rows == shape().columns) {
      f0_ = g0_;
    } else if (damped) {
      f0_.assign(batch * static_cast<std::size_t>(shape().rows), 0);
    }
  }

  void read_start(const TensorSource& source, const std::string& name, int count,
                  std::optional<InputTensor>& tensor) const {
    if (!source.has(name)) return;
    const bool shared = source.shape(name).size() == 1;
    tensor.emplace(source, name, shared ? Shape{count} : lines(count));
    const std::vector<double>& values = tensor->reals();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] > 0.0) continue;
      throw InputError(source.path(), source.place(name),
                       fmt::format("{} at {}, expected scalings above zero", values[i],
                                   index_text(static_cast<std::int64_t>(i), tensor->shape())));
    }
  }

  void assume(const OperatorOptions& options, bool values) {
    const model::SinkhornSettings& made = problem_.integer.settings;
    const int assumed = options.assumed_half_steps;
    const auto refuse = [&](const std::string& expectation) {
      throw InputError(path_, "assumed_half_steps", expectation);
    };
    if (assumed > 0 && made.tolerance == 0.0) refuse("expected with a tolerance only");
    if (assumed > made.half_steps)
      refuse(fmt::format("{}, expected at most iterations = {}", assumed, made.half_steps));
    if (values || options.values_follow) return;
    if (assumed == 0 && made.tolerance > 0.0)
      refuse("missing, expected without data: no values decide when the tolerance is reached");
    problem_.assumed_half_steps = assumed;
  }

  void make_logits() {
    if (c_) {
      logits_ = c_->reals();
      for (double& logit : logits_) logit /= epsilon_;
    } else {
      const auto keys = static_cast<std::size_t>(shape().columns);
      const std::size_t width = q_->dim(1);
      logits_ =
          model::product_float(q_->reals(), transposed(k_->reals(), keys, width), width, keys);
      for (double& logit : logits_) logit = logit * scale_ / epsilon_;
    }
    const auto wrong = std::find_if(logits_.begin(), logits_.end(),
                                    [](double logit) { return !std::isfinite(logit); });
    if (wrong == logits_.end()) return;
    throw InputError(path_, c_ ? "tensor 'C'" : "tensors 'Q', 'K'",
                     fmt::format("the logit at {} is not finite, expected a larger epsilon",
                                 index_text(wrong - logits_.begin(), matrix_shape())));
  }

  void make_integers(const TensorSource& source) {
    model::SinkhornInteger& integer = problem_.integer;
    double unit = kLog2E / epsilon_;  // octaves per unit of a code
    if (c_) {
      c_codes_ = c_->codes(16);
      codes_ = c_codes_.q;
      unit *= c_codes_.scale;
    } else {
      make_scores();
      unit *= q_codes_.scale * k_codes_.scale * scale_;
    }
    double largest_code = 0.0;
    for (const std::int32_t code : codes_)
      largest_code = std::max(largest_code, std::fabs(static_cast<double>(code)));
    // Rounded operands may make larger scores than the real ones.
    const double octaves = std::max(largest_magnitude(logits_) * kLog2E, largest_code * unit);
    integer.fraction_bits = model::logit_fraction_bits(octaves);
    const double factor = std::ldexp(unit, integer.fraction_bits);
    // Logits that are all zero have no scale, and such a small one makes them so.
    if (largest_code > 0.0) {
      integer.factor = input_multiplier(path_, c_ ? "tensor C" : "tensors Q, K",
                                        std::max(factor, std::ldexp(1.0, -46)));
    }
    if (integer.settings.form != SinkhornForm::kScaling) check_spread(source);
  }

  void make_scores() {
    const auto keys = static_cast<std::size_t>(shape().columns);
    const std::size_t width = q_->dim(1);
    q_codes_ = q_->codes(8);
    k_codes_ = k_->codes(8);
    const std::vector<std::int64_t> scores =
        model::product_fixed(q_codes_.q, transposed(k_codes_.q, keys, width), width, keys);
    codes_.assign(scores.begin(), scores.end());
  }

  void check_spread(const TensorSource& source) const {
    const int spread = model::kernel_spread(codes_, problem_.integer);
    if (spread <= model::kKernelSpreadOctaves) return;
    throw InputError(source.path(), c_ ? source.place("C") : source.place("Q"),
                     fmt::format("logits spread over {} octaves, expected at most {} where K is "
                                 "held; form=scaling with hold=logits has no such limit",
                                 spread, model::kKernelSpreadOctaves));
  }

  static std::vector<double> kernel_values(const std::vector<std::int64_t>& codes) {
    std::vector<double> values;
    values.reserve(codes.size());
    for (const std::int64_t code : codes)
      values.push_back(std::ldexp(static_cast<double>(code), -model::kKernelFractionBits));
    return values;
  }

  /// Residuals of the K delivered.
  void add_errors(OperatorResult& result, const std::vector<double>& k) const {
    model::SinkhornShape one = shape();
    one.batch = 1;
    const auto elements = static_cast<std::ptrdiff_t>(one.elements());
    RealTensor rows{per_matrix(), {}}, columns{per_matrix(), {}};
    for (auto matrix = k.begin(); matrix != k.end(); matrix += elements) {
      const model::SinkhornResidual residual =
          model::sinkhorn_residual({matrix, matrix + elements}, one);
      rows.values.push_back(residual.row);
      columns.values.push_back(residual.column);
    }
    result.reals["row_error"] = std::move(rows);
    result.reals["col_error"] = std::move(columns);
  }

  void add_scalings(OperatorResult& result, const std::vector<std::int64_t>& codes) const {
    const bool packed = problem_.integer.settings.form == SinkhornForm::kKernel;
    RealTensor real{lines(shape().columns), {}};
    for (const std::int64_t code : codes) {
      real.values.push_back(packed ? packed_value(code)
                                   : finite_power(std::ldexp(static_cast<double>(code), -16)));
    }
    result.integers["c"] = {real.shape, codes, 1.0,
                            packed ? "reciprocal, mantissa * 2^(24 - shift): mantissa in bits "
                                     "0..16, shift in bits 24..29"
                                   : "log2, 16 fraction bits",
                            false};
    result.reals["c"] = std::move(real);
  }

  std::string path_;
  std::optional<InputTensor> c_, q_, k_, v_, c0_, r0_;
  bool batched_ = false;  ///< C has a leading dimension B.
  double epsilon_ = 1.0, scale_ = 1.0;
  hw::SinkhornProblem problem_;
  std::vector<double> logits_;       ///< Nats.
  std::vector<std::int32_t> codes_;  ///< Of C, or the scores.
  std::vector<std::int32_t> g0_, f0_;
  model::Codes c_codes_, q_codes_, k_codes_, v_codes_;
};

}  // namespace

std::unique_ptr<Operator> make_sinkhorn_operator(const TensorSource& source, Settings settings,
                                                 const OperatorOptions& options) {
  return std::make_unique<SinkhornOperator>(source, std::move(settings), options);
}

}  // namespace quadrille::app
