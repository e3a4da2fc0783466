// The scaling experiment of the Scaleformer document (figures 4 and 5) on the
// chip: what attention costs against the length of the sequence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/experiments/experiment.h"

namespace quadrille::app {

struct EnlargedChip {
  std::int64_t scratchpad_bytes = 0;
  int macros = 0;
  int max_keys = 0;
};

struct ScalingPlan {
  int width = 64;                ///< d
  int value_width = 64;          ///< dv
  int horizon = 16;              ///< k
  int crossover_least_log2 = 6;  ///< At most least_log2: shorter lengths, for crossovers only.
  int least_log2 = 6;            ///< Of tables and plots.
  int largest_log2 = 17;
  int fitted_doublings = 6;  ///< The last ones, for the slope.
  /// The chip with more room, for the softmax path at lengths that the given one
  /// refuses: the same engines, ports and memory interface.
  std::optional<EnlargedChip> enlarged;
  std::vector<int> linear_lanes, cim_macros;  ///< Chips of the crossover study.
};

/// One way to attend, at every length.
struct ScalingVariant {
  std::string name;   ///< In CSV and JSON.
  std::string title;  ///< In tables and plots.
  bool linear = false;
  bool causal = false;
  bool positions = false;
  bool enlarged = false;
  /// A chip of one capacity at all lengths, whose slope says something: not the
  /// given chip's softmax path, which ends soon after it stops to fit.
  bool fitted() const { return linear || enlarged; }
};

struct ScalingPoint {
  std::int64_t tokens = 0;
  std::optional<RunCost> cost;
  std::string reason;  ///< Why the chip refused, without a cost.
};

struct ScalingCurve {
  ScalingVariant variant;
  std::vector<ScalingPoint> points;
  /// log2 cycles over log2 tokens, of the last fitted doublings that ran; only of
  /// variants that are fitted().
  std::optional<Line> fit;
  std::optional<Line> energy_fit;  ///< log2 pJ
};

/// Where the linear curve falls below the quadratic one of the same mask.
struct Crossover {
  /// None: not within the lengths that both ran. Then one of the two says why.
  std::optional<double> tokens;
  /// The length from which the chip refuses one of the two paths.
  std::optional<std::int64_t> refused_from;
  /// Both ran at all lengths, this one the longest.
  std::optional<std::int64_t> not_up_to;
  /// The linear engine is faster from the shortest length on: `tokens` is that
  /// length, an upper bound.
  bool from_the_start = false;
};
using CostFigure = double (*)(const RunCost&);
double cycles_of(const RunCost& cost);
double energy_of(const RunCost& cost);  ///< pJ
Crossover crossover_of(const ScalingCurve& quadratic, const ScalingCurve& linear,
                       CostFigure figure = cycles_of);

/// Products of 8-bit operands per cycle at best.
struct PeakMacs {
  double linear = 0.0;
  double cim = 0.0;
  /// The condition of the crossover's goal: the linear engine wins by its work,
  /// not by more multipliers.
  bool linear_has_no_more() const { return linear <= cim; }
};
/// The linear engine: the outer products and the readout, lanes x lanes each, and
/// the scores and weighted values of a chunk and of the horizon. The CIM bank: one
/// product per weight in as many cycles as the inputs have bits.
PeakMacs peak_macs(const hw::ChipConfig& chip);

/// A chip of the crossover study.
struct AreaPoint {
  int linear_lanes = 0;
  int cim_macros = 0;
  double linear_um2 = 0.0;
  double cim_um2 = 0.0;
  PeakMacs peak;
  Crossover crossover, causal_crossover;
  double area_ratio() const { return linear_um2 / cim_um2; }
};

struct ScalingResults {
  std::vector<ScalingCurve> curves;
  std::vector<AreaPoint> areas;
  RunCost chip_runs;  ///< Of all runs, those of the crossover study too.

  /// InvariantError when there is none.
  const ScalingCurve& curve(const std::string& variant) const;
};

/// Slope between a point and the one before, log2 over log2; none at the first
/// and at lengths that the chip refuses.
std::optional<double> local_slope(const ScalingCurve& curve, std::size_t point);

ExperimentReport scaling_report(const ScalingPlan& plan, const ScalingResults& results,
                                const ExperimentSetup& setup);

}  // namespace quadrille::app
