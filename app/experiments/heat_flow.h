// The heat-flow experiment: what it runs, and what came out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/experiments/experiment.h"
#include "model/dynamics/heat_flow_fixed.h"

namespace quadrille::app {

struct HeatFlowPlan {
  model::HeatFlowSettings exact;
  std::vector<double> epsilons;  ///< At most the end time: a step at least.
  bool budgets = true;
  model::IntegerHeatFlowSettings integer;
  int least_bits = 4;
  int largest_bits = 16;
};

/// One point of the word-length study.
struct WordLength {
  std::string level;
  int particles = 0;
  int bits = 0;
  double w2 = 0.0;
  double displacement = 0.0;   ///< Median, of the last step.
  double stalled_share = 0.0;  ///< Of the steps, those with a median of 0.
  bool stalls() const { return displacement == 0.0; }
};

/// One run at level float.
struct FloatRun {
  std::string name;
  model::HeatFlowSettings settings;
  model::HeatFlow flow;
};

/// One point of the study of step sizes.
struct EpsilonRun {
  std::string level;
  int particles = 0;
  double epsilon = 0.0;
  int updates = 0;
  /// Where whole steps end nearest the end time: W2 is to the exact flow there.
  double time = 0.0;
  double w2 = 0.0;
  double residual = 0.0;  ///< Largest.
};

/// Everything that was run.
struct HeatFlowResults {
  model::HeatFlow exact;        ///< Level float.
  model::HeatFlow exact_small;  ///< Level float with the integer levels' particles.
  model::IntegerHeatFlow fixed, systemc;
  std::vector<RunCost> costs;
  std::vector<EpsilonRun> epsilons;
  std::vector<FloatRun> budgets;
  std::vector<WordLength> word_lengths;
};

double largest_residual(const std::vector<model::HeatFlowStep>& steps);
std::vector<model::HeatFlowStep> figures_of(const model::IntegerHeatFlow& flow);

/// Whether the stated goal is met by a flow that was iterated until its residual;
/// nothing when it is not the flow that the goal is stated for.
std::optional<bool> heat_flow_goal_met(const model::HeatFlowSettings& settings,
                                       const model::HeatFlow& converged);

/// Tables, plots and figures. `difference`: where the levels first differ, or "".
ExperimentReport heat_flow_report(const HeatFlowPlan& plan, const HeatFlowResults& results,
                                  const std::string& difference);

}  // namespace quadrille::app
