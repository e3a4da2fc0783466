#include "app/commands/regress.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/commands/command_line.h"
#include "app/files/atomic_file.h"
#include "app/files/progress.h"
#include "app/regression/case.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::vector<CaseLevel> levels_of(const std::string& level) {
  if (level == "fixed") return {CaseLevel::kFixed};
  if (level == "systemc") return {CaseLevel::kSystemc};
  if (level == "rtl") return {CaseLevel::kRtl};
  return {CaseLevel::kFixed, CaseLevel::kSystemc, CaseLevel::kBuiltRtl};
}

}  // namespace

const std::vector<std::string>& regress_levels() {
  static const std::vector<std::string> levels = {"fixed", "systemc", "rtl", "all"};
  return levels;
}

int regress_command(const RegressOptions& options) {
  const std::vector<CaseLevel> levels = levels_of(options.level);
  const std::vector<std::string> cases = options.cases.empty() ? shipped_cases() : options.cases;
  if (!options.cycles.empty() && (options.level != "all" || options.bless)) {
    throw InputError("--cycles", "'" + options.cycles + "'",
                     "a table of all levels, expected --level all and no --bless");
  }
  Progress progress;
  std::string cycles = kCaseCyclesHeader;
  std::size_t failed = 0, checked = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Case stored = read_case(cases[i]);
    progress.show(fmt::format("{}/{} {}", i + 1, cases.size(), stored.name));
    const CaseVerdict verdict = options.bless ? bless_case(stored) : check_case(stored, levels);
    progress.clear();
    ++checked;
    failed += verdict.good() ? 0 : 1;
    cycles += case_cycles_line(stored, verdict);
    fmt::print("{:<40} {:<7} {} values, {} counters\n", stored.name,
               !verdict.good() ? "FAILED"
               : options.bless ? "blessed"
                               : "ok",
               verdict.values, verdict.counters);
    for (const std::string& difference : verdict.differences)
      fmt::print(stderr, "{}: {}\n", stored.name, difference);
  }
  fmt::print("{} of {} cases {}\n", checked - failed, checked, options.bless ? "blessed" : "ok");
  if (options.bless) {
    // A run that rewrote the goldens has not passed: it was held against nothing.
    fmt::print(stderr,
               "regress: goldens rewritten, nothing compared; expected a run without --bless\n");
    return kComparisonFailed;
  }
  if (checked == 0) fmt::print(stderr, "regress: nothing was compared\n");
  if (!options.cycles.empty() && failed == 0 && checked > 0) write_file(options.cycles, cycles);
  return failed > 0 || checked == 0 ? kComparisonFailed : kGood;
}

}  // namespace quadrille::app
