#include "app/commands/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <limits>
#include <new>
#include <system_error>

#include "app/commands/eval.h"
#include "app/commands/list.h"
#include "app/commands/regress.h"
#include "app/commands/rtl.h"
#include "app/commands/run.h"
#include "app/commands/sweep.h"
#include "app/commands/tables.h"
#include "app/files/suggest.h"
#include "app/networks/operator.h"
#include "app/version.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

int report(std::string message, int code) {
  std::replace_if(
      message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; },
      ' ');
  fmt::print(stderr, "quadrille: {}\n", message);
  return code;
}

/// Every option name of the program, for suggestions.
std::vector<std::string> option_names(const CLI::App& program) {
  std::vector<std::string> names;
  const auto collect = [&](const CLI::App* app) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  };
  collect(&program);
  for (const CLI::App* command : program.get_subcommands({})) collect(command);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

/// A decimal number from 0 up, as the files write it: to the library 010 is eight, and
/// what is too large the largest that there is.
std::int64_t decimal(const std::string& option, const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0)
    throw InputError(option, in_quotes(text), "expected decimal digits, from 0 to 2^63 - 1");
  return number;
}

/// The first word of the command line that no option or command took.
std::string suggestion(const CLI::App& program, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) return "";
  for (const CLI::App* command : program.get_subcommands()) {
    for (const std::string& word : command->remaining())
      return did_you_mean(word, option_names(program));
  }
  for (const std::string& word : program.remaining(true))
    return did_you_mean(word, option_names(program));
  return "";
}

int parse_and_run(int argc, const char* const* argv) {
  CLI::App program{"Cycle-approximate model of an attention accelerator on compute-in-memory"};
  program.name("quadrille");
  program.set_version_flag("--version", version(), "Print the version");
  program.require_subcommand(1);
  program.failure_message(
      [](const CLI::App*, const CLI::Error& error) -> std::string { return error.what(); });
  const auto word_of_list = [](const std::vector<std::string>& words) {
    CLI::IsMember check(words);
    return check;
  };

  RunOptions run;
  CLI::App* run_app = program.add_subcommand("run", "Simulate a workload on a chip");
  run_app->add_option("-w,--workload", run.workload, "Workload file, or the name of a shipped one")
      ->required();
  run_app->add_option("-c,--chip", run.chip, "Chip file, or the name of a shipped one")
      ->capture_default_str();
  run_app->add_option_function<std::string>(
      "-o,--output", [&run](const std::string& folder) { run.output = folder; },
      "Folder of the report, out/NAME of the workload unless given; an earlier report "
      "in it is replaced, a folder that holds anything else is refused");
  run_app
      ->add_option("--set", run.settings,
                   "KEY=VALUE instead of the file's: cim.rows=128 of the chip, "
                   "workload.tokens=512 of the workload")
      ->allow_extra_args(false);
  run_app
      ->add_option("--impl", run.implementations,
                   "ENGINE=systemc|rtl: the body of an engine, or of all; rtl implies beat timing")
      ->allow_extra_args(false);
  run_app->add_option("--timing", run.timing, "tile or beat, instead of the chip file's")
      ->check(word_of_list({"tile", "beat"}));
  run_app->add_option("--by", run.by, "layer, node or engine: a block of the table for each")
      ->check(word_of_list({"layer", "node", "engine"}));
  run_app->add_flag("--no-data", run.no_data, "Timing and counters only, no values");
  run_app
      ->add_option("--check", run.check,
                   "outputs: held against the integer specification and the formula; none: neither "
                   "is evaluated")
      ->capture_default_str()
      ->check(word_of_list({"outputs", "none"}));
  run_app
      ->add_option("--trace", run.traces,
                   "perfetto: trace.json, which ui.perfetto.dev opens; fst: waveforms of the "
                   "engines in RTL; or both with a comma")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(word_of_list({"perfetto", "fst"}));
  run_app->add_option("--waves-cycles", run.waves_cycles, "FROM:TO, cycles of the traces")
      ->needs("--trace");
  run_app->add_option_function<std::string>(
      "--seed", [&run](const std::string& text) { run.seed = decimal("--seed", text); },
      "Seed of random data, instead of the workload's");

  EvalOptions eval;
  CLI::App* eval_app = program.add_subcommand("eval", "Apply one operator to your tensors");
  eval_app->add_option("OP", eval.operation, fmt::format("{}", fmt::join(operator_names(), ", ")))
      ->required();
  eval_app->add_option("--level", eval.level, "float, fixed, systemc, rtl or all")
      ->required()
      ->check(word_of_list(eval_levels()));
  eval_app->add_option("-i,--input", eval.input, "Tensors in (safetensors)")->required();
  eval_app->add_option("-o,--output", eval.output, "Tensors out (safetensors)")->required();
  eval_app->add_option("-c,--chip", eval.chip, "Chip file or name, for systemc and rtl")
      ->capture_default_str();
  eval_app
      ->add_option("--set", eval.settings,
                   "KEY=VALUE: a setting of the operator, or a chip key such as cim.rows")
      ->allow_extra_args(false);
  eval_app->add_flag("--allow-missing-rtl", eval.allow_missing_rtl,
                     "With --level all: RTL that is not built need not be compared");
  eval_app->add_option("--waves", eval.waves,
                       "With --level rtl or all: FST waveform of the RTL, around the first "
                       "difference where there is one");
  eval_app->add_option("--waves-cycles", eval.waves_cycles, "FROM:TO, cycles of the waveform")
      ->needs("--waves");

  RegressOptions regress;
  CLI::App* regress_app = program.add_subcommand("regress", "Stored cases against stored goldens");
  regress_app->add_option("CASE", regress.cases,
                          "Names, patterns ('softmax-*') or folders of cases; none: all shipped");
  regress_app->add_option("--level", regress.level, "fixed, systemc, rtl or all")
      ->check(word_of_list(regress_levels()))
      ->capture_default_str();
  regress_app
      ->add_option("-j,--jobs", regress.processes,
                   "Processes, each with one case; one per processor if not given")
      ->check(CLI::Range(1, 1024));
  regress_app->add_flag("--bless", regress.bless, "Rewrite the goldens of the cases named");
  regress_app->add_flag("--all", regress.all, "With --bless and no case: of every shipped case")
      ->needs("--bless");
  regress_app->add_flag("--allow-missing-rtl", regress.allow_missing_rtl,
                        "RTL that is not built need not be compared");
  regress_app->add_option("--junit", regress.junit,
                          "XML file of the results, as CI services read it");
  regress_app->add_option("--cycles", regress.cycles,
                          "With --level all: table of every case's cycles in tile, beat and RTL");

  RtlOptions rtl;
  CLI::App* rtl_app = program.add_subcommand("rtl", "The engines' RTL at the sizes of a chip file");
  rtl_app->require_subcommand(1);
  const auto add_rtl = [&](const char* name, const char* what) {
    CLI::App* app = rtl_app->add_subcommand(name, what);
    app->add_option("-c,--chip", rtl.chip, "Chip file or name")->capture_default_str();
    app->add_option("--set", rtl.settings, "KEY=VALUE: a chip key instead of the file's")
        ->allow_extra_args(false);
    app->add_option("--engine", rtl.engines, "An engine; none: all that exist in RTL")
        ->allow_extra_args(false);
    app->add_flag("--waves", rtl.waves, "Of the kind that writes waveforms");
    return app;
  };
  CLI::App* rtl_build = add_rtl("build", "Verilate and compile them into the cache");
  CLI::App* rtl_list = add_rtl("list", "Sizes, what is built, and the command that builds it");
  rtl_list->add_option("--sources", rtl.sources,
                       "Folder for file lists (ENGINE.f), parameters and generated tables");
  CLI::App* rtl_lint = add_rtl("lint", "Verilator's lint at these sizes");

  SweepOptions sweep;
  CLI::App* sweep_app =
      program.add_subcommand("sweep", "Many runs and one table: grids and random samples");
  sweep_app
      ->add_option("SPEC", sweep.spec,
                   "File of what to vary, or the name of a shipped one (docs/sweeps.md)")
      ->required();
  sweep_app
      ->add_option("-o,--output", sweep.folder,
                   "Folder of points.csv; one that an unfinished sweep left is taken up again")
      ->required();
  sweep_app->add_option("-j,--jobs", sweep.processes, "Processes; one per core if not given")
      ->check(CLI::Range(1, 1024));

  std::string tables_chip = "default";
  CLI::App* tables_app = program.add_subcommand(
      "tables", "The DAMF document's Table II and Figure 5, beside simulated runs");
  tables_app->add_option("-c,--chip", tables_chip, "Chip file or name")->capture_default_str();

  std::string list_kind;
  CLI::App* list_app = program.add_subcommand("list", "What is shipped, with a line on each");
  list_app->add_option("KIND", list_kind,
                       fmt::format("{}; none: all", fmt::join(list_kinds(), ", ")));

  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> names;
    for (const CLI::App* command : program.get_subcommands({}))
      names.push_back(command->get_name());
    if (std::find(names.begin(), names.end(), argv[1]) == names.end()) {
      throw InputError("command line", in_quotes(argv[1]),
                       "unknown command" + did_you_mean(argv[1], names));
    }
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);
    return report(error.what() + suggestion(program, error), kBadInput);
  }
  if (run_app->parsed()) return run_command(run);
  if (eval_app->parsed()) return eval_command(eval);
  if (regress_app->parsed()) return regress_command(regress);
  if (rtl_build->parsed()) return rtl_build_command(rtl);
  if (rtl_list->parsed()) return rtl_list_command(rtl);
  if (rtl_lint->parsed()) return rtl_lint_command(rtl);

  if (sweep_app->parsed()) return sweep_command(sweep);
  if (tables_app->parsed()) return tables_command(tables_chip);
  if (list_app->parsed()) return list_command(list_kind);
  return kBadInput;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  // A file larger than `ulimit -f` is then an error of the write, and not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const int status = parse_and_run(argc, argv);
    // What was printed may still lie in the stream's buffer.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return report("standard output: cannot be written (is the disk full?)", kBadInput);
    return status;
  } catch (const InputError& error) {
    return report(error.what(), kBadInput);
  } catch (const InvariantError& error) {
    return report(std::string("invariant violated: ") + error.what(), kInvariantViolated);
  } catch (const std::system_error& error) {
    // fmt says so of a stream that takes no more.
    return report(fmt::format("standard output: cannot be written: {}", error.what()), kBadInput);
  } catch (const std::bad_alloc&) {
    return report("out of memory, expected an input that fits", kBadInput);
  } catch (const std::exception& error) {
    return report(std::string("internal error: ") + error.what(), kInvariantViolated);
  }
}

}  // namespace quadrille::app
