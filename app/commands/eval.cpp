#include "app/commands/eval.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "app/commands/command_line.h"
#include "app/config/chip_file.h"
#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "app/rtl/rtl_cache.h"
#include "app/rtl/rtl_check.h"
#include "app/version.h"
#include "hw/engines.h"
#include "hw/mapper/mapping.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

void print_saturated(const std::string& level, std::int64_t values) {
  if (values > 0) fmt::print("{}: {} values saturated\n", level, values);
}

void print_run(const std::string& level, const hw::ChipConfig& chip, std::int64_t cycles) {
  fmt::print("{}: {} cycles at {:.0f} Hz on chip {}\n", level, cycles, chip.clock_hz, chip.name);
}

void print_run(const std::string& level, const hw::ChipConfig& chip, const ChipRun& run) {
  print_run(level, chip, run.result.cycles);
  std::int64_t saturated = 0;
  for (const hw::EngineTotals& engine : run.result.totals.engines)
    saturated += engine.activity.saturated;
  print_saturated(level, saturated);
}

/// Whether every engine was compared in RTL; names those that were not, and how they are
/// built. A check that was asked for and not made is no success unless that is allowed.
bool all_compared(Simulation& simulation, const RtlCheck& check, bool allow_missing_rtl) {
  for (const std::string& engine : check.not_built) {
    const hw::RtlDesign design = hw::engines().find(engine)->rtl_design(simulation.chip());
    fmt::print(stderr, "{}: not compared, because its RTL is not built: quadrille rtl build {}\n",
               engine, rtl_build_words(simulation.chip(), design, false));
  }
  return check.not_built.empty() || allow_missing_rtl;
}

/// Every integer level against `fixed`; returns false at the first difference.
bool compare_all(Simulation& simulation, const std::string& input, const RtlCheckOptions& rtl,
                 bool allow_missing_rtl) {
  const hw::ChipConfig& chip = simulation.chip();
  std::int64_t beat_cycles = 0;
  for (const auto& [name, timing] : {std::pair{"systemc (tile)", hw::Timing::kTile},
                                     std::pair{"systemc (beat)", hw::Timing::kBeat}}) {
    const ChipRun run = simulation.run({timing, {}, {}});
    print_run(name, chip, run);
    if (const auto difference = simulation.difference(name, run)) {
      fmt::print(stderr, "{}: {} differs from fixed: {}, by cycle {}\n", input, name, *difference,
                 run.result.cycles);
      return false;
    }
    beat_cycles = run.result.cycles;
  }
  const RtlCheck check = check_rtl(simulation, beat_cycles, rtl);
  if (check.difference) fmt::print(stderr, "{}: {}\n", input, *check.difference);
  for (const std::string& file : check.waves) fmt::print("waveform in {}\n", file);
  if (check.difference) return false;
  if (check.engines.empty()) {
    fmt::print("systemc equals fixed in every bit\n");
    return all_compared(simulation, check, allow_missing_rtl);
  }
  print_run(fmt::format("rtl ({})", fmt::join(check.engines, ", ")), chip, check.cycles);
  fmt::print(
      "systemc and rtl equal fixed in every bit, rtl equals systemc (beat) in every pin and "
      "cycle\n");
  return all_compared(simulation, check, allow_missing_rtl);
}

void write_result(Simulation& simulation, const OperatorResult& result, const std::string& level,
                  const EvalOptions& options) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : result.reals) writer.add_f64(name, tensor.shape, tensor.values);
  for (const auto& [name, tensor] : result.integers) {
    writer.add_integers(name + "_q", Dtype::kI64, tensor.shape, tensor.codes);
    if (!tensor.encoding.empty()) {
      writer.set_metadata(name + "_q.encoding", tensor.encoding);
      continue;
    }
    writer.set_metadata(name + ".scale", fmt::format("{}", tensor.scale));
    writer.set_metadata(name + "_q.scale", fmt::format("{}", tensor.scale));
  }
  const Task& task = simulation.task();
  if (!result.integers.empty()) {
    for (const auto& [name, scale] : stated_scales(task, simulation.quantised()))
      writer.set_metadata(name + ".scale", fmt::format("{}", scale));
  }
  for (const auto& [key, value] : task.metadata) writer.set_metadata(key, value);
  writer.set_metadata("operator", options.operation);
  writer.set_metadata("level", level);
  writer.set_metadata("quadrille", version());
  writer.write(options.output);
}

/// The result of the level `fixed`, said to have clamped what it clamped.
OperatorResult fixed_result(Simulation& simulation) {
  print_saturated("inputs", simulation.quantised().saturated);
  print_saturated("fixed", simulation.fixed().saturated);
  return integer_result(simulation.task(), simulation.quantised(), simulation.fixed().tensors);
}

/// Refuses what needs an engine of an operator that none does yet.
void require_engines(const EvalOptions& options) {
  const std::string levels =
      options.operation + " exists at the levels float and fixed only, since no engine does it yet";
  if (!options.waves.empty())
    throw InputError("--waves", in_quotes(options.waves), levels + ", expected no waveforms");
  if (options.level == "systemc" || options.level == "rtl") {
    throw InputError("--level", in_quotes(options.level),
                     levels + ", expected float, fixed or all");
  }
}

/// `--level all` of an operator without an engine: the level `fixed` has nothing to be
/// equal to, so that its error against `float` is all there is to say. That comparison was
/// not made is no success unless it is allowed.
int measure_fixed(Simulation& simulation, const EvalOptions& options) {
  const OperatorResult fixed = fixed_result(simulation);
  const OperatorResult real = real_result(simulation.task(), simulation.values());
  const std::string& judged = simulation.task().judged;
  const ErrorFigures error =
      error_figures(real.reals.at(judged).values, fixed.reals.at(judged).values);
  fmt::print("fixed against float: SQNR {}, max abs {:g}\n",
             error.sqnr_db ? fmt::format("{:.1f} dB", *error.sqnr_db) : "beyond measure",
             error.max_abs);
  if (options.allow_missing_rtl) write_result(simulation, fixed, "fixed", options);
  fmt::print(stderr,
             "{}: fixed was compared with no other integer level, since no engine does it yet\n",
             options.operation);
  return options.allow_missing_rtl ? kGood : kComparisonFailed;
}

/// Words of --set that are keys of the chip, and the operator's settings.
std::pair<std::vector<std::string>, std::vector<std::string>> split(
    const std::vector<std::string>& words) {
  std::pair<std::vector<std::string>, std::vector<std::string>> parts;
  for (const std::string& word : words)
    (sets_chip_section(word) ? parts.first : parts.second).push_back(word);
  return parts;
}

}  // namespace

const std::vector<std::string>& eval_levels() {
  static const std::vector<std::string> levels = {"float", "fixed", "systemc", "rtl", "all"};
  return levels;
}

int eval_command(const EvalOptions& options) {
  const auto [chip_words, settings] = split(options.settings);
  const hw::ChipConfig chip = resolve(parse_chip_file(find_file("--chip", "chips", options.chip),
                                                      parse_overrides(chip_words).chip));
  Simulation simulation(
      operator_task(options.operation, FileTensors(SafetensorsFile::open(options.input)),
                    Settings::parse(settings)),
      chip);
  if (!options.waves.empty() && options.level != "all" && options.level != "rtl") {
    throw InputError("--waves", "'" + options.waves + "'",
                     "waveforms are the RTL's, expected --level rtl or all");
  }
  const bool on_engines = hw::has_engines(simulation.task().graph);
  if (!on_engines) require_engines(options);
  RtlCheckOptions rtl{
      options.waves, {}, options.operation == "matmul" ? "cim" : options.operation, {}};
  if (!options.waves_cycles.empty())
    rtl.waves_cycles = parse_cycle_range("--waves-cycles", options.waves_cycles);
  if (options.level == "float") {
    write_result(simulation, real_result(simulation.task(), simulation.values()), "float", options);
    return kGood;
  }
  if (options.level == "fixed") {
    write_result(simulation, fixed_result(simulation), "fixed", options);
    return kGood;
  }
  if (options.level == "all" && !on_engines) return measure_fixed(simulation, options);
  if (options.level == "all") {
    if (!rtl.waves.empty()) require_waves(simulation, rtl);
    const OperatorResult fixed = fixed_result(simulation);
    if (!compare_all(simulation, options.input, rtl, options.allow_missing_rtl))
      return kComparisonFailed;
    write_result(simulation, fixed, "fixed", options);
    return kGood;
  }
  Body body{chip.timing, {}, {}};
  if (options.level == "rtl") body.implementation = all_in_rtl(simulation.job().mapping.program);
  if (!rtl.waves.empty()) {
    require_waves(simulation, rtl);
    body.rtl.traces = waves_of(rtl, chip, body.implementation.rtl_engines());
  }
  const ChipRun run = simulation.run(body);
  write_result(simulation, simulation.result(run), options.level, options);
  print_run(options.level, chip, run);
  for (const auto& [engine, trace] : body.rtl.traces)
    fmt::print("waveform of {} in {}\n", engine, trace.file);
  return kGood;
}

}  // namespace quadrille::app
