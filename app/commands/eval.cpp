#include "app/commands/eval.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "app/chip_run.h"
#include "app/commands/command_line.h"
#include "app/config/chip_file.h"
#include "app/files/shipped.h"
#include "app/operators/compare.h"
#include "app/rtl_check.h"
#include "app/version.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

struct LevelRun {
  OperatorResult result;
  std::int64_t cycles = 0;
  std::int64_t saturated = 0;
};

LevelRun run_on(const Operator& op, hw::ChipConfig chip, hw::Timing timing, bool rtl) {
  chip.timing = timing;
  const ChipJob job = op.lower(chip);
  const Implementation implementation = rtl ? all_in_rtl(job.mapping.program) : Implementation{};
  const ChipRun run = run_on_chip(chip, implementation, job, true);
  LevelRun made{op.collect(run.outputs), run.result.cycles, 0};
  for (const hw::EngineTotals& engine : run.result.totals.engines)
    made.saturated += engine.activity.saturated;
  return made;
}

void print_saturated(const std::string& level, std::int64_t values) {
  if (values > 0) fmt::print("{}: {} values saturated\n", level, values);
}

void print_run(const std::string& level, const hw::ChipConfig& chip, const LevelRun& run) {
  fmt::print("{}: {} cycles at {:.0f} Hz on chip {}\n", level, run.cycles, chip.clock_hz,
             chip.name);
  print_saturated(level, run.saturated);
}

/// Every integer level against `fixed`; returns false at the first difference.
bool compare_all(const Operator& op, const hw::ChipConfig& chip, const OperatorResult& fixed,
                 const std::string& input, const RtlCheckOptions& rtl) {
  std::int64_t beat_cycles = 0;
  for (const auto& [name, timing] : {std::pair{"systemc (tile)", hw::Timing::kTile},
                                     std::pair{"systemc (beat)", hw::Timing::kBeat}}) {
    const LevelRun run = run_on(op, chip, timing, false);
    print_run(name, chip, run);
    if (const auto difference = first_difference("fixed", fixed, name, run.result)) {
      fmt::print(stderr, "{}: {} differs from fixed: {}, by cycle {}\n", input, name, *difference,
                 run.cycles);
      return false;
    }
    beat_cycles = run.cycles;
  }
  const RtlCheck check = check_rtl(op, chip, fixed, beat_cycles, rtl);
  if (check.difference) {
    fmt::print(stderr, "{}: {}\n", input, *check.difference);
    if (check.waves_written) fmt::print("waveform in {}\n", rtl.waves);
    return false;
  }
  if (!check.not_built.empty()) {
    fmt::print("not built in RTL for chip {}, so in SystemC: {}\n", chip.name,
               fmt::join(check.not_built, ", "));
  }
  if (check.engines.empty()) {
    fmt::print("systemc equals fixed in every bit\n");
    return true;
  }
  print_run(fmt::format("rtl ({})", fmt::join(check.engines, ", ")), chip,
            {check.result, check.cycles, 0});
  fmt::print(
      "systemc and rtl equal fixed in every bit, rtl equals systemc (beat) in every pin and "
      "cycle\n");
  return true;
}

void write_result(const Operator& op, const OperatorResult& result, const std::string& level,
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
  if (!result.integers.empty()) {
    for (const auto& [name, scale] : op.scales())
      writer.set_metadata(name + ".scale", fmt::format("{}", scale));
  }
  writer.set_metadata("operator", options.operation);
  writer.set_metadata("level", level);
  writer.set_metadata("quadrille", version());
  writer.write(options.output);
}

}  // namespace

const std::vector<std::string>& eval_levels() {
  static const std::vector<std::string> levels = {"float", "fixed", "systemc", "rtl", "all"};
  return levels;
}

int eval_command(const EvalOptions& options) {
  const hw::ChipConfig chip = read_chip_file(find_file("--chip", "chips", options.chip));
  const auto op =
      make_operator(options.operation, FileTensors(SafetensorsFile::open(options.input)),
                    Settings::parse(options.settings));
  if (!options.waves.empty() && options.level != "all") {
    throw InputError("--waves", "'" + options.waves + "'",
                     "waveforms are of the first difference, expected --level all");
  }
  if (options.level == "float") {
    write_result(*op, op->run_float(), "float", options);
    return kGood;
  }
  if (options.level == "fixed") {
    const OperatorResult fixed = op->run_fixed();
    write_result(*op, fixed, "fixed", options);
    print_saturated("fixed", fixed.saturated);
    return kGood;
  }
  if (options.level == "all") {
    RtlCheckOptions rtl;
    rtl.waves = options.waves;
    rtl.waves_cycles = options.waves_cycles;
    if (!rtl.waves.empty()) require_waves(*op, chip, rtl);
    const OperatorResult fixed = op->run_fixed();
    print_saturated("fixed", fixed.saturated);
    if (!compare_all(*op, chip, fixed, options.input, rtl)) return kComparisonFailed;
    write_result(*op, fixed, "fixed", options);
    return kGood;
  }
  const bool rtl = options.level == "rtl";
  const LevelRun run = run_on(*op, chip, chip.timing, rtl);
  write_result(*op, run.result, options.level, options);
  print_run(options.level, chip, run);
  return kGood;
}

}  // namespace quadrille::app
