#include "app/commands/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/commands/command_line.h"
#include "app/commands/run_experiment.h"
#include "app/config/chip_file.h"
#include "app/config/technology_file.h"
#include "app/files/hash.h"
#include "app/files/output_folder.h"
#include "app/files/safetensors.h"
#include "app/files/shipped.h"
#include "app/report/console.h"
#include "app/report/csv.h"
#include "app/report/report_files.h"
#include "app/report/summary.h"
#include "app/report/trace.h"
#include "app/report/units.h"
#include "app/rtl/rtl_build.h"
#include "app/rtl/rtl_check.h"
#include "app/simulation.h"
#include "app/version.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

InputFile input_file(const std::string& role, const std::string& path) {
  return {role, std::filesystem::path(path).filename().string(), file_fnv1a_64(path)};
}

RunRequest make_request(const RunOptions& options, Workload workload, const ParsedChip& chip) {
  RunRequest request;
  request.workload = std::move(workload);
  request.chip = resolve(chip);
  request.technology = read_technology_file(technology_path(chip));
  request.implementation = parse_implementation(options.implementations);
  request.rtl.find = find_or_offer();
  request.data = !options.no_data;
  request.check = options.check == "none" ? Check::kNone : Check::kOutputs;
  if (options.timing == "tile" && request.implementation.any_rtl())
    throw InputError("--timing", "'tile'", "an engine in RTL needs beat timing");
  if (options.seed) request.workload.reseed(*options.seed);
  return request;
}

/// Which timelines are asked for, of which cycles.
struct TracesWanted {
  bool timeline = false;
  bool waves = false;
  CycleRange cycles;
};

TracesWanted parse_traces(const RunOptions& options) {
  TracesWanted wanted;
  for (const std::string& word : options.traces)
    (word == "fst" ? wanted.waves : wanted.timeline) = true;
  if (!options.waves_cycles.empty())
    wanted.cycles = parse_cycle_range("--waves-cycles", options.waves_cycles);
  return wanted;
}

/// A waveform for every engine in RTL, beside the report's other files.
std::map<std::string, hw::RtlTrace> waves_into(OutputFolder& folder, const RunRequest& request,
                                               const CycleRange& cycles) {
  if (!request.implementation.any_rtl()) {
    throw InputError("--trace", "'fst'",
                     "waveforms are the RTL's: name an engine, such as --impl all=rtl");
  }
  std::map<std::string, hw::RtlTrace> waves;
  for (const std::string& engine : request.implementation.rtl_engines()) {
    const std::string file = folder.path_of(waveform_file_name(engine));
    waves[engine] = wave_of(file, cycles, request.chip);
  }
  return waves;
}

void require_begins_within(const CycleRange& range, std::int64_t cycles) {
  if (range.first < cycles) return;
  throw InputError(
      "--waves-cycles", fmt::format("{}:{}", range.first, range.last),
      fmt::format("expected a range that begins before the run's end, cycle {}", cycles));
}

std::string trace_note(const Trace& trace) {
  if (trace.slices_left_out == 0)
    return "\n  trace    trace.json opens in https://ui.perfetto.dev\n";
  return fmt::format(
      "\n  trace    trace.json opens in https://ui.perfetto.dev; {} slices that begin in or after "
      "cycle "
      "{} are left out: --waves-cycles FROM:TO picks others\n",
      grouped_digits(trace.slices_left_out), grouped_digits(trace.complete_to_cycle));
}

/// outputs.safetensors: every output from the chip (NAME, and its codes NAME.q) and from the
/// level `float` (NAME.float).
std::string outputs_bytes(const RunOutcome& outcome) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : outcome.outputs->reals)
    writer.add_f64(name, tensor.shape, tensor.values);
  if (outcome.float_outputs) {
    for (const auto& [name, tensor] : outcome.float_outputs->reals) {
      if (outcome.outputs->reals.count(name) != 0)
        writer.add_f64(name + ".float", tensor.shape, tensor.values);
    }
  }
  for (const auto& [name, tensor] : outcome.outputs->integers) {
    if (outcome.outputs->reals.count(name) == 0) continue;
    writer.add_integers(name + ".q", Dtype::kI64, tensor.shape, tensor.codes);
    if (!tensor.encoding.empty()) {
      writer.set_metadata(name + ".q.encoding", tensor.encoding);
      continue;
    }
    writer.set_metadata(name + ".scale", fmt::format("{}", tensor.scale));
    writer.set_metadata(name + ".q.scale", fmt::format("{}", tensor.scale));
  }
  writer.set_metadata("quadrille", version());
  return writer.bytes();
}

}  // namespace

std::string output_folder(const RunOptions& options, const std::string& workload) {
  if (options.output) return *options.output;
  std::string name = workload;
  std::replace(name.begin(), name.end(), '/', '-');
  return "out/" + name;
}

int run_command(const RunOptions& options) {
  const TracesWanted traces = parse_traces(options);
  Overrides overrides = parse_overrides(options.settings);
  if (!options.timing.empty())
    overrides.chip.push_back({"timing", options.timing, "--timing " + options.timing});
  const std::string path = find_file("--workload", "workloads", options.workload);
  Workload workload = read_workload_file(with_overrides(read_yaml(path), overrides.workload));
  const ParsedChip chip =
      parse_chip_file(find_file("--chip", "chips", options.chip), overrides.chip);
  if (const auto* experiment = std::get_if<ExperimentWorkload>(&workload.what))
    return run_experiment(workload, *experiment, options, chip);
  RunRequest request = make_request(options, std::move(workload), chip);
  const std::string place = output_folder(options, request.workload.name);
  OutputFolder folder(place, report_file_names());
  if (traces.waves) request.rtl.traces = waves_into(folder, request, traces.cycles);
  RunOutcome outcome = simulate(request);
  if (outcome.difference) {
    fmt::print(stderr,
               "quadrille: {}: the chip's output differs from the integer specification: {}\n",
               request.workload.name, *outcome.difference);
    return kComparisonFailed;
  }
  std::vector<InputFile> inputs = {input_file("workload", path)};
  for (const std::string& file : chip.files)
    inputs.push_back(input_file(file == chip.file() ? "chip" : "chip base", file));
  if (const auto kind = dram_kind_path(chip)) inputs.push_back(input_file("dram kind", *kind));
  inputs.push_back(input_file("technology", technology_path(chip)));
  for (const auto& [role, file] : outcome.inputs) inputs.push_back(input_file(role, file));
  RunReport report = make_report(std::move(request), std::move(outcome), std::move(inputs));
  report.settings = options.settings;
  std::vector<std::pair<std::string, std::string>> files = {
      {"layers.csv", layers_csv(report)},     {"nodes.csv", nodes_csv(report)},
      {"engines.csv", engines_csv(report)},   {"steps.csv", steps_csv(report)},
      {"commands.csv", commands_csv(report)}, {"critical_path.csv", critical_path_csv(report)},
      {"tensors.csv", tensors_csv(report)},   {"counters.csv", counters_csv(report.outcome.chip)}};
  if (report.outcome.sinkhorn)
    files.emplace_back("residuals.csv", residuals_csv(*report.outcome.sinkhorn));
  if (report.outcome.outputs)
    files.emplace_back("outputs.safetensors", outputs_bytes(report.outcome));
  files.emplace_back("summary.json", summary_json(report));
  std::string notes;
  if (traces.timeline) {
    require_begins_within(traces.cycles, report.outcome.chip.cycles);
    Trace trace = trace_of(report, {traces.cycles});
    files.emplace_back("trace.json", std::move(trace.json));
    notes = trace_note(trace);
  }
  commit_report(folder, files);
  fmt::print("{}{}\n  report in {}\n", console_report(report, options.by), notes, place);
  return kGood;
}

}  // namespace quadrille::app
