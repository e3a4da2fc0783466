// A workload on a chip: one run as a value, from the numbers to the counters,
// compared with the integer specification on the way.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/config/workload_file.h"
#include "app/implementation.h"
#include "hw/chip_config.h"
#include "hw/chip_result.h"
#include "hw/energy/technology.h"

namespace quadrille::app {

struct RunRequest {
  Workload workload;
  hw::ChipConfig chip;
  hw::Technology technology;  ///< Prices the counters; the run itself does not look at it.
  Implementation implementation;
  bool data = true;
};

/// The chip's output against the level `float`.
struct ErrorFigures {
  std::optional<double> sqnr_db;  ///< None: no error at all.
  double max_abs = 0.0;
};

/// Next-token loss of the language model, nats per token.
struct LossFigures {
  double with_float = 0.0;  ///< Every layer at level `float`.
  double with_chip = 0.0;   ///< This layer's output from the chip.
  std::int64_t predictions = 0;
};

/// How the run's Sinkhorn problems converged.
struct SinkhornFigures {
  std::int64_t half_steps = 0;  ///< Done, the most of any matrix.
  /// As the unit measured it (the largest of all matrices that went so far):
  /// index + 1 half-steps. Empty without data.
  std::vector<model::SinkhornResidual> residuals;
  /// Of the K delivered, in double precision; with one operator's data only.
  std::optional<model::SinkhornResidual> final_residual;
};

struct RunOutcome {
  hw::ChipResult chip;
  hw::Timing timing = hw::Timing::kTile;
  std::vector<hw::ProgramNode> nodes;
  std::vector<std::string> choices;  ///< The mapper's, one line each.
  std::vector<std::string> ran_in_rtl;
  std::vector<std::string> idle_in_rtl;  ///< Asked for in RTL, without a command in this run.
  std::int64_t scratchpad_bytes = 0;
  std::map<std::string, std::string> inputs;  ///< Role -> path of the data files read.
  /// Sinkhorn commands only: residuals by half-step; the most half-steps of any.
  std::optional<SinkhornFigures> sinkhorn;
  std::int64_t saturated = 0;  ///< Values that engines clamped; 0 without data.
  // With data only:
  std::optional<ErrorFigures> error;
  std::optional<LossFigures> loss;
  /// Where the chip's output first differs from the level `fixed`.
  std::optional<std::string> difference;
};

/// Without data, only the workload's shape is looked at. Throws InputError and
/// InvariantError; a difference is reported, not thrown.
RunOutcome simulate(const RunRequest& request);

/// Figures of `found` against `expected`.
ErrorFigures error_figures(const std::vector<double>& expected, const std::vector<double>& found);

}  // namespace quadrille::app
