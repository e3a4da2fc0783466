// One operator on the user's tensors, at any level: what `eval` and the
// operator cases of `regress` run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/networks/input_tensor.h"
#include "app/networks/operator.h"
#include "app/operators/settings.h"
#include "app/operators/tensor_source.h"
#include "hw/mapper/shim.h"

namespace quadrille::app {

/// Codes by the name of the tensor.
using CodeMap = std::map<std::string, std::vector<std::int64_t>>;

/// Everything the chip needs to run: where each tensor lies and what is in it.
struct ChipJob {
  hw::Mapping mapping;
  CodeMap inputs;  ///< Of every tensor of the mapping that is no output.
  /// MACs by closed form; the run is held against it. None where only the data
  /// decide (products with held K under a tolerance).
  std::optional<hw::ExpectedWork> expected = hw::ExpectedWork{};
};

class Operator {
 public:
  virtual ~Operator() = default;
  virtual OperatorResult run_float() const = 0;
  virtual OperatorResult run_fixed() const = 0;
  /// The same integers as a program for a chip; without values, the same
  /// program with empty inputs. InputError if it does not fit.
  virtual ChipJob lower(const hw::ChipConfig& chip) const = 0;
  /// The chip's outputs (by the mapping's names) in the form of run_fixed().
  virtual OperatorResult collect(const CodeMap& outputs) const = 0;

  /// Scales of the quantised inputs and static intermediates: value = code * scale.
  virtual std::map<std::string, double> scales() const = 0;
  /// The tensor by which the operator's error is judged.
  virtual const char* result_name() const { return "out"; }
};

/// Reads the operator's tensors and settings. InputError for an unknown
/// operator, setting or tensor (with the nearest name), for a missing one, and
/// for wrong shapes, dtypes and values. Of a source without values only lower()
/// works, and nothing is allocated.
std::unique_ptr<Operator> make_operator(const std::string& name, const TensorSource& source,
                                        Settings settings, const OperatorOptions& options = {});

// Pieces that the operators share.

/// make_multiplier, or an InputError naming `what`: the factor comes from the
/// scales of the user's tensors.
model::Multiplier input_multiplier(const std::string& file, const std::string& what, double factor);

/// Adds `codes` to both maps of `result`.
void add_integer(OperatorResult& result, const std::string& name, const Shape& shape,
                 std::vector<std::int64_t> codes, double scale);

/// Adds codes that come from the operator and not from the level; they are
/// written out, and never counted as compared.
void add_passing(OperatorResult& result, const std::string& name, const Shape& shape,
                 const model::Codes& codes);

std::vector<std::int64_t> widen(const std::vector<std::int32_t>& codes);

std::unique_ptr<Operator> make_softmax_operator(const TensorSource& source, Settings settings,
                                                const OperatorOptions& options);
std::unique_ptr<Operator> make_damf_operator(const TensorSource& source, Settings settings);
std::unique_ptr<Operator> make_sinkhorn_operator(const TensorSource& source, Settings settings,
                                                 const OperatorOptions& options);
std::unique_ptr<Operator> make_linear_operator(const TensorSource& source, Settings settings,
                                               const OperatorOptions& options);
std::unique_ptr<Operator> make_matmul_operator(const TensorSource& source, Settings settings);

}  // namespace quadrille::app
