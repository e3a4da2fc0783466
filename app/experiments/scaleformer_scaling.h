// The scaling experiment of the Scaleformer document (figures 4 and 5) on the
// chip: what attention costs against the length of the sequence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/experiments/experiment.h"

namespace quadrille::app {

struct ScalingPlan {
  int width = 64;        ///< d
  int value_width = 64;  ///< dv
  int horizon = 16;      ///< k
  int least_log2 = 6;
  int largest_log2 = 17;
  int fitted_doublings = 6;                   ///< The last ones, for the slope.
  int fitted_doublings_quadratic = 2;         ///< Of the softmax curves, and to draw them on.
  std::vector<int> linear_lanes, cim_macros;  ///< Chips of the crossover study.
};

/// One way to attend, at every length.
struct ScalingVariant {
  std::string name;   ///< In CSV and JSON.
  std::string title;  ///< In tables and plots.
  bool linear = false;
  bool causal = false;
  bool positions = false;
};

struct ScalingPoint {
  std::int64_t tokens = 0;
  std::optional<RunCost> cost;
  std::string reason;  ///< Why the chip refused, without a cost.
};

struct ScalingCurve {
  ScalingVariant variant;
  std::vector<ScalingPoint> points;
  /// log2 cycles over log2 tokens, of the last fitted doublings that ran.
  std::optional<Line> fit;
  std::optional<Line> energy_fit;  ///< log2 pJ
};

/// Where the linear curve falls below the quadratic one of the same mask.
struct Crossover {
  /// None: not within the lengths that both ran.
  std::optional<double> tokens;
  /// The linear engine is faster from the shortest length on: `tokens` is that
  /// length, an upper bound.
  bool from_the_start = false;
};
using CostFigure = double (*)(const RunCost&);
double cycles_of(const RunCost& cost);
double energy_of(const RunCost& cost);  ///< pJ
Crossover crossover_of(const ScalingCurve& quadratic, const ScalingCurve& linear,
                       CostFigure figure = cycles_of);

/// A chip of the crossover study.
struct AreaPoint {
  int linear_lanes = 0;
  int cim_macros = 0;
  double linear_um2 = 0.0;
  double cim_um2 = 0.0;
  Crossover crossover, causal_crossover;
  double area_ratio() const { return linear_um2 / cim_um2; }
};

struct ScalingResults {
  std::vector<ScalingCurve> curves;
  std::vector<AreaPoint> areas;
};

ExperimentReport scaling_report(const ScalingPlan& plan, const ScalingResults& results,
                                const ExperimentSetup& setup);

}  // namespace quadrille::app
