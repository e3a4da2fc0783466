// One operator on the user's tensors as a task: DESIGN's table of operators,
// with leading dimensions [B, H] wherever [L, d] stands.
#pragma once

#include <string>
#include <vector>

#include "app/networks/task.h"
#include "app/operators/settings.h"
#include "app/operators/tensor_source.h"

namespace quadrille::app {

/// How much of an operator is wanted.
struct OperatorOptions {
  /// Only what the operator is for, without the tensors that explain it: what
  /// the chip of a `run` would store.
  bool result_only = false;
  /// Half-steps that a tolerance stop is taken to need where there are no
  /// values to evaluate it on; 0: no such assumption.
  int assumed_half_steps = 0;
  /// There are no values yet, but the run will have them: no assumption needed.
  bool values_follow = false;
};

/// Names of the operators that exist, in the order of the documentation.
const std::vector<std::string>& operator_names();
/// One of them in a line. InvariantError for a name that is none.
std::string operator_summary(const std::string& name);

/// Reads the operator's tensors and settings. InputError for an unknown
/// operator, setting or tensor (with the nearest name), for a missing one, and
/// for wrong shapes, dtypes and values. A source without values gives a task
/// without data, and nothing is allocated in proportion to the tensors.
Task operator_task(const std::string& name, const TensorSource& source, Settings settings,
                   const OperatorOptions& options = {});

/// The half-steps that the unit is told to take for a tolerance stop: those assumed
/// without values, 0 when the run has values. InputError (place
/// assumed_half_steps) when the assumption is missing or does not fit.
int assumed_half_steps(const std::string& path, int assumed,
                       const model::SinkhornSettings& settings, bool has_values);

/// Completes the starting scalings of a warm start by what the definition says of
/// the side that is not given (empty): columns start from 1; rows, which only a
/// damped update has, from those of the columns in a square matrix, else from 1.
void complete_starts(const model::SinkhornShape& shape, bool damped, std::vector<double>& c0,
                     std::vector<double>& r0);

}  // namespace quadrille::app
