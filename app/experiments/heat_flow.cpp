// The heat flow of the Sinkformer slides at three levels, for several step sizes,
// iteration budgets and word lengths.
#include "app/experiments/heat_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "app/files/progress.h"
#include "model/graph/bytes.h"

namespace quadrille::app {
namespace {

using model::HeatFlow;
using model::HeatFlowSettings;
using model::HeatFlowStep;
using model::IntegerHeatFlow;
using model::IntegerHeatFlowSettings;
using Text = std::back_insert_iterator<std::string>;

constexpr const char* kKind = "heat-flow";

/// The flow has a step at least, and does not end beyond the end time by more
/// than rounding to whole steps does.
std::vector<double> read_epsilons(const YamlNode& workload, double end_time) {
  std::vector<double> epsilons;
  for (const YamlNode& item : workload.sequence("epsilons")) {
    const double epsilon = item.as_number(1e-3, 1.0);
    if (epsilon > end_time) {
      item.fail(fmt::format("expected at most end_time = {:g}, a step at least, found {:g}",
                            end_time, epsilon));
    }
    epsilons.push_back(epsilon);
  }
  return epsilons;
}

HeatFlowPlan read_plan(const YamlNode& workload, const ExperimentSetup& setup) {
  read_head(workload, kKind);
  refuse_seed(setup, kKind);
  HeatFlowPlan plan;
  HeatFlowSettings& exact = plan.exact;
  exact.epsilon = workload.number("epsilon", 2e-3, 1.0, exact.epsilon);
  exact.end_time = workload.number("end_time", exact.epsilon, 1.5, exact.end_time);
  exact.half_steps = static_cast<int>(workload.integer("updates", 1, 1000, exact.half_steps));
  exact.particles = static_cast<int>(workload.integer("particles", 8, 4000, exact.particles));
  plan.epsilons = read_epsilons(workload, exact.end_time);
  plan.budgets = workload.boolean("budgets", true);
  IntegerHeatFlowSettings& integer = plan.integer;
  const YamlNode node = workload.child("integer");
  integer.particles = static_cast<int>(node.integer("particles", 8, 4000, integer.particles));
  integer.position_bits =
      static_cast<int>(node.integer("position_fraction_bits", 1, 16, integer.position_bits));
  integer.logit_fraction_bits =
      static_cast<int>(node.integer("logit_fraction_bits", model::kLeastLogitFractionBits,
                                    model::kMostLogitFractionBits, integer.logit_fraction_bits));
  integer.epsilon = exact.epsilon;
  integer.end_time = exact.end_time;
  integer.updates = exact.half_steps;
  const YamlNode bits = workload.child("word_lengths");
  plan.least_bits = static_cast<int>(bits.integer("least_fraction_bits", 1, 16));
  plan.largest_bits = static_cast<int>(bits.integer("largest_fraction_bits", plan.least_bits, 16));
  workload.finish();
  return plan;
}

/// One step of the flow as a graph of one node: from C, V and the scalings before
/// it to the scalings after it and K V, in elements of 4 bytes.
model::IntegerGraph step_graph(const model::SinkhornInteger& integer) {
  const std::int64_t rows = integer.shape.rows, columns = integer.shape.columns;
  model::IntegerGraph step;
  model::Graph& graph = step.graph;
  graph.name = kKind;
  const auto add = [&](const char* name, std::int64_t height, std::int64_t width,
                       model::Role role) {
    return graph.add({name, height, width, role, model::Format::kSums32});
  };
  model::Node node{"step", kKind, model::Sinkhorn{integer.shape, integer.settings, 1.0, 0}, {}, {}};
  node.inputs = {
      add("C", rows, columns, model::Role::kInput), add("V", columns, 1, model::Role::kInput),
      add("g0", 1, columns, model::Role::kInput), add("f0", 1, rows, model::Role::kInput)};
  node.outputs = {add("out", rows, 1, model::Role::kOutput), model::kAbsent,
                  add("f", 1, rows, model::Role::kOutput),
                  add("g", 1, columns, model::Role::kOutput)};
  graph.nodes.push_back(std::move(node));
  step.forms = {
      model::SinkhornFormat{integer.factor, integer.fraction_bits, integer.tolerance_code, {}}};
  return step;
}

/// The unit on the chip: one run per step.
class ChipUnit {
 public:
  ChipUnit(const ExperimentSetup& setup, const IntegerHeatFlowSettings& settings)
      : setup_(setup),
        graph_(step_graph(model::heat_flow_problem(settings))),
        job_(make_job(setup.chip, graph_)) {}

  model::HeatFlowPassResult operator()(const model::HeatFlowPass& pass) {
    constexpr auto kFormat = model::Format::kSums32;
    const model::Node& node = graph_.graph.nodes.front();
    model::ByteTensors tensors(graph_.graph.tensors.size());
    const std::vector<std::int32_t>* codes[] = {&pass.codes, &pass.positions, &pass.scalings,
                                                &pass.scalings};
    for (std::size_t slot = 0; slot < 4; ++slot)
      tensors[static_cast<std::size_t>(node.input(slot))] = model::pack(*codes[slot], kFormat);
    const ChipRun run = run_on_chip(setup_.chip, {setup_.chip.timing, {}, {}}, job_, &tensors);
    costs_.push_back(cost_of(setup_, run.result));
    const auto output = [&](std::size_t slot) {
      return model::unpack64(run.outputs[static_cast<std::size_t>(node.output(slot))], kFormat);
    };
    model::HeatFlowPassResult result;
    result.f_q = output(2);
    result.g_q = output(3);
    result.out_q = output(0);
    result.saturated = costs_.back().activity.saturated;
    return result;
  }

  const std::vector<RunCost>& costs() const { return costs_; }

 private:
  const ExperimentSetup& setup_;
  model::IntegerGraph graph_;
  ChipJob job_;
  std::vector<RunCost> costs_;  ///< Per step.
};

WordLength word_length(const std::string& level, int particles, int bits,
                       const std::vector<HeatFlowStep>& steps) {
  WordLength result{level, particles, bits, steps.back().w2, steps.back().displacement, 0.0};
  for (const HeatFlowStep& step : steps)
    result.stalled_share += step.displacement == 0.0 ? 1.0 / static_cast<double>(steps.size()) : 0;
  return result;
}

HeatFlowSettings with_residual(HeatFlowSettings settings) {
  settings.half_steps = 1000;
  settings.tolerance = 1e-6;
  return settings;
}

std::vector<FloatRun> budgets_of(const HeatFlowSettings& exact) {
  std::vector<FloatRun> budgets;
  const auto add = [&](const std::string& name, model::SinkhornUpdate update, int half_steps,
                       bool warm) {
    HeatFlowSettings settings = exact;
    settings.update = update;
    settings.half_steps = half_steps;
    settings.warm = warm;
    budgets.push_back({name, settings, {}});
  };
  add("alternate half-steps, cold start", model::SinkhornUpdate::kAlternate, 21, false);
  add("alternate half-steps, cold start", model::SinkhornUpdate::kAlternate, 501, false);
  add("alternate half-steps, warm start", model::SinkhornUpdate::kAlternate, 101, true);
  add("damped updates, warm start", model::SinkhornUpdate::kDamped, exact.half_steps, true);
  budgets.push_back({"damped updates until residual 1e-6, warm", with_residual(exact), {}});
  return budgets;
}

EpsilonRun epsilon_run(const std::string& level, const IntegerHeatFlowSettings& settings,
                       const std::vector<HeatFlowStep>& steps) {
  return {level,
          settings.particles,
          settings.epsilon,
          settings.updates,
          steps.back().time,
          steps.back().w2,
          largest_residual(steps)};
}

/// Per step size: float, and float and fixed with the integer levels' particles.
void run_epsilons(const HeatFlowPlan& plan, HeatFlowResults& results) {
  for (const double epsilon : plan.epsilons) {
    IntegerHeatFlowSettings integer = plan.integer;
    integer.epsilon = epsilon;
    for (const int particles : {plan.exact.particles, plan.integer.particles}) {
      HeatFlowSettings settings = plan.exact;
      settings.epsilon = epsilon;
      settings.particles = particles;
      IntegerHeatFlowSettings described = integer;
      described.particles = particles;
      results.epsilons.push_back(
          epsilon_run("float", described, model::heat_flow_float(settings).steps));
    }
    const IntegerHeatFlow flow =
        epsilon == plan.integer.epsilon
            ? results.fixed
            : model::heat_flow_integer(integer, model::fixed_heat_flow_unit(integer));
    results.epsilons.push_back(epsilon_run("fixed", integer, figures_of(flow)));
  }
}

void run_word_lengths(const HeatFlowPlan& plan, HeatFlowResults& results, Progress& progress) {
  for (int bits = plan.least_bits; bits <= plan.largest_bits; ++bits) {
    progress.show(fmt::format("heat flow: positions with {} fraction bits", bits));
    HeatFlowSettings grid = plan.exact;
    grid.fraction_bits = bits;
    results.word_lengths.push_back(
        word_length("float on the grid", grid.particles, bits, model::heat_flow_float(grid).steps));
    IntegerHeatFlowSettings integer = plan.integer;
    integer.position_bits = bits;
    const IntegerHeatFlow flow =
        model::heat_flow_integer(integer, model::fixed_heat_flow_unit(integer));
    results.word_lengths.push_back(word_length("fixed", integer.particles, bits, figures_of(flow)));
  }
}

HeatFlowResults run_all(const HeatFlowPlan& plan, const ExperimentSetup& setup) {
  // What does not fit the chip is refused before anything is computed.
  const auto chip = std::make_shared<ChipUnit>(setup, plan.integer);
  Progress progress;
  HeatFlowResults results;
  progress.show("heat flow: level float");
  results.exact = model::heat_flow_float(plan.exact);
  HeatFlowSettings small = plan.exact;
  small.particles = plan.integer.particles;
  results.exact_small = model::heat_flow_float(small);
  progress.show("heat flow: level fixed");
  results.fixed = model::heat_flow_integer(plan.integer, model::fixed_heat_flow_unit(plan.integer));
  progress.show("heat flow: level systemc");
  results.systemc = model::heat_flow_integer(
      plan.integer, [chip](const model::HeatFlowPass& pass) { return (*chip)(pass); });
  results.costs = chip->costs();
  progress.show("heat flow: step sizes");
  run_epsilons(plan, results);
  progress.show("heat flow: iteration budgets");
  if (plan.budgets) results.budgets = budgets_of(plan.exact);
  for (FloatRun& run : results.budgets) run.flow = model::heat_flow_float(run.settings);
  run_word_lengths(plan, results, progress);
  return results;
}

}  // namespace

double largest_residual(const std::vector<HeatFlowStep>& steps) {
  double largest = 0.0;
  for (const HeatFlowStep& step : steps) largest = std::max(largest, step.residual);
  return largest;
}

std::vector<HeatFlowStep> figures_of(const IntegerHeatFlow& flow) {
  std::vector<HeatFlowStep> steps;
  for (const model::IntegerHeatFlowStep& step : flow.steps) steps.push_back(step.figures);
  return steps;
}

ExperimentReport run_heat_flow(const YamlNode& workload, const ExperimentSetup& setup) {
  const HeatFlowPlan plan = read_plan(workload, setup);
  HeatFlowResults results;
  try {
    results = run_all(plan, setup);
  } catch (const model::RunawayFlow& error) {
    const IntegerHeatFlowSettings& integer = plan.integer;
    workload.child("integer")
        .child("logit_fraction_bits")
        .fail(fmt::format(
            "the flow runs away ({}): logits with {} fraction bits reach {} octaves, beyond which "
            "far pairs keep their weight; expected fewer fraction bits, or other particles, "
            "position_fraction_bits, updates and epsilon than {}, {}, {} and {:g}",
            error.what(), integer.logit_fraction_bits, 1 << (15 - integer.logit_fraction_bits),
            integer.particles, integer.position_bits, integer.updates, integer.epsilon));
  }
  return heat_flow_report(plan, results, model::first_difference(results.fixed, results.systemc));
}

}  // namespace quadrille::app
