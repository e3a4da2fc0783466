// A task on a chip, from its numbers to what the chip made of them. `run`, `eval`,
// `regress`, the experiments and the bench simulate through this file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/chip_run.h"
#include "app/config/choices.h"
#include "app/config/workload_file.h"
#include "app/error_figures.h"
#include "app/networks/task.h"
#include "hw/bounds.h"
#include "hw/chip_config.h"
#include "hw/counters/critical_path.h"
#include "hw/energy/technology.h"
#include "hw/tensor_traffic.h"

namespace quadrille::app {

/// A task and a chip. What the levels need of each other is made at its first
/// use, and once: the values in double precision, the integers, the program, the
/// integer specification's outputs.
class Simulation {
 public:
  Simulation(Task task, const hw::ChipConfig& chip) : task_(std::move(task)), chip_(chip) {}

  const Task& task() const { return task_; }
  const hw::ChipConfig& chip() const { return chip_; }

  /// Refuses a task that does not fit the chip, by an InputError, before any
  /// numbers are made.
  void require_room() const;
  /// Level `float`, every tensor.
  const model::Values& values();
  /// InputError for data that do not fit the integer formats.
  const model::Quantised& quantised();
  /// Level `fixed`.
  const model::FixedRun& fixed();
  /// The program for the chip, which serves every body.
  const ChipJob& job();
  /// Gives the job's mapping away, after the last run: asked again, it is made again.
  hw::Mapping take_mapping();

  /// With data if the task has them.
  ChipRun run(const Body& body);

  OperatorResult result(const ChipRun& run) {
    return integer_result(task_, quantised(), run.outputs);
  }
  /// Where the run's outputs first differ from the level `fixed`; `name` stands
  /// for the run.
  std::optional<std::string> difference(const std::string& name, const ChipRun& run);

 private:
  Task task_;
  hw::ChipConfig chip_;
  std::optional<model::Values> values_;
  std::optional<model::Quantised> quantised_;
  std::optional<model::FixedRun> fixed_;
  std::optional<ChipJob> job_;
};

/// The task of a workload that is one run. Without `data` no values are read or
/// drawn.
Task make_task(const Workload& workload, bool data);

/// What a run with data is held against.
enum class Check {
  kOutputs,  ///< Every output against the level `fixed`, bit for bit; errors against `float`.
  kNone,     ///< Nothing; neither level is evaluated beyond what scales need.
};

inline const Choices<Check> kCheckChoices = {{"outputs", Check::kOutputs}, {"none", Check::kNone}};

struct RunRequest {
  Workload workload;
  hw::ChipConfig chip;
  hw::Technology technology;  ///< Prices the counters; the run itself does not look at it.
  Implementation implementation;
  hw::RtlBodies rtl;  ///< Where the RTL comes from: the cache unless it says.
  bool data = true;
  Check check = Check::kOutputs;
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
  /// It is that of the K delivered, in double precision; with data only.
  std::optional<model::SinkhornResidual> final_residual;
};

struct RunOutcome {
  hw::ChipResult chip;
  hw::Timing timing = hw::Timing::kTile;
  hw::Program program;  ///< Its commands are those of the chip's records.
  std::vector<hw::CriticalStep> critical_path;
  std::vector<std::string> choices;  ///< The mapper's, one line each.
  hw::Bounds bounds;                 ///< What no plan can beat.
  std::vector<hw::TensorTraffic> tensors;
  std::vector<std::string> ran_in_rtl;
  std::vector<std::string> idle_in_rtl;  ///< Asked for in RTL, without a command in this run.
  std::int64_t scratchpad_bytes = 0;
  std::map<std::string, std::string> inputs;  ///< Role -> path of the data files read.
  /// Sinkhorn commands only: residuals by half-step; the most half-steps of any.
  std::optional<SinkhornFigures> sinkhorn;
  std::int64_t saturated = 0;  ///< Values that engines clamped; 0 without data.
  /// Inputs and weights that their own scales clamped; 0 without data.
  std::int64_t saturated_inputs = 0;
  std::optional<OperatorResult> outputs;  ///< The chip's; with data only.
  // With data and a check only:
  std::optional<OperatorResult> float_outputs;  ///< Of the level `float`.
  std::optional<ErrorFigures> error;            ///< Of the output that is judged.
  std::string formula;                          ///< What the errors are against.
  std::vector<std::pair<std::string, ErrorFigures>> output_errors;  ///< By output.
  std::vector<HeadError> head_errors;
  std::optional<LossFigures> loss;
  /// Where the chip's output first differs from the level `fixed`.
  std::optional<std::string> difference;
};

/// Without data, only the workload's shape is looked at. Throws InputError and
/// InvariantError; a difference is reported, not thrown.
RunOutcome simulate(const RunRequest& request);

}  // namespace quadrille::app
