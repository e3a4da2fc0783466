#include "app/commands/regress.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/commands/command_line.h"
#include "app/files/atomic_file.h"
#include "app/files/progress.h"
#include "app/regression/case.h"
#include "app/regression/junit.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::vector<CaseLevel> levels_of(const std::string& level) {
  if (level == "fixed") return {CaseLevel::kFixed};
  if (level == "systemc") return {CaseLevel::kSystemc};
  if (level == "rtl") return {CaseLevel::kRtl};
  return {CaseLevel::kFixed, CaseLevel::kSystemc, CaseLevel::kRtl};
}

/// What the cases came to.
struct Tally {
  std::size_t checked = 0, failed = 0, refused = 0;
  std::string cycles = kCaseCyclesHeader;
  std::vector<JunitCase> results;
  std::set<std::string> not_built;  ///< Words of `rtl build`.
};

void require_options(const RegressOptions& options) {
  if (!options.cycles.empty() && (options.level != "all" || options.bless)) {
    throw InputError("--cycles", "'" + options.cycles + "'",
                     "a table of all levels, expected --level all and no --bless");
  }
  if (options.bless && options.cases.empty() && !options.all)
    throw InputError("--bless", "without a case", "expected names of cases, or --all");
}

void take(const Case& stored, const CaseVerdict& verdict, bool bless, Tally& tally) {
  // All are counted; more than a few of one case say nothing new.
  constexpr std::size_t kMostShown = 5;
  ++tally.checked;
  tally.failed += verdict.good() ? 0 : 1;
  tally.cycles += case_cycles_line(stored, verdict);
  tally.not_built.insert(verdict.not_built.begin(), verdict.not_built.end());
  tally.results.push_back({stored.name, verdict.differences});
  fmt::print("{:<40} {:<7} {} values, {} counters\n", stored.name,
             !verdict.good() ? "FAILED"
             : bless         ? "blessed"
                             : "ok",
             verdict.values, verdict.counters);
  for (std::size_t i = 0; i < std::min(kMostShown, verdict.differences.size()); ++i)
    fmt::print(stderr, "{}: {}\n", stored.name, verdict.differences[i]);
  if (verdict.differences.size() > kMostShown) {
    fmt::print(stderr, "{}: {} differences in all\n", stored.name, verdict.differences.size());
  }
}

void refuse(const std::string& given, const std::string& why, Tally& tally) {
  ++tally.refused;
  tally.results.push_back({given, {why}});
  fmt::print("{:<40} {}\n", given, "REFUSED");
  fmt::print(stderr, "{}\n", why);
}

/// The last lines, the files, and the exit status.
int conclude(const RegressOptions& options, const Tally& tally) {
  fmt::print("{} of {} cases {}\n", tally.checked - tally.failed, tally.checked + tally.refused,
             options.bless ? "blessed" : "ok");
  if (!options.junit.empty())
    write_file(options.junit, junit_xml("quadrille regress", tally.results));
  if (tally.refused > 0) return kBadInput;
  if (options.bless) {
    // A run that rewrote the goldens has not passed: it was held against nothing.
    fmt::print(stderr,
               "regress: goldens rewritten, nothing compared; expected a run without --bless\n");
    return kComparisonFailed;
  }
  if (tally.checked == 0) fmt::print(stderr, "regress: nothing was compared\n");
  if (!options.cycles.empty() && tally.failed == 0 && tally.checked > 0)
    write_file(options.cycles, tally.cycles);
  for (const std::string& words : tally.not_built) {
    fmt::print(stderr,
               "regress: not compared, because its RTL is not built: quadrille rtl build {}\n",
               words);
  }
  const bool missing = !tally.not_built.empty() && !options.allow_missing_rtl;
  return tally.failed > 0 || tally.checked == 0 || missing ? kComparisonFailed : kGood;
}

}  // namespace

const std::vector<std::string>& regress_levels() {
  static const std::vector<std::string> levels = {"fixed", "systemc", "rtl", "all"};
  return levels;
}

int regress_command(const RegressOptions& options) {
  require_options(options);
  const std::vector<CaseLevel> levels = levels_of(options.level);
  const std::vector<std::string> cases =
      options.cases.empty() ? shipped_cases() : matching_cases(options.cases);
  Tally tally;
  Progress progress;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    progress.show(fmt::format("{}/{} {}", i + 1, cases.size(), cases[i]));
    try {
      Case stored = read_case(cases[i]);
      const CaseVerdict verdict = options.bless ? bless_case(stored) : check_case(stored, levels);
      progress.clear();
      take(stored, verdict, options.bless, tally);
    } catch (const InputError& error) {
      progress.clear();
      // One that cannot be read does not stop the others.
      if (cases.size() == 1) throw;
      refuse(cases[i], error.what(), tally);
    }
  }
  return conclude(options, tally);
}

}  // namespace quadrille::app
