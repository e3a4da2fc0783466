#include "app/commands/regress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "app/commands/command_line.h"
#include "app/files/atomic_file.h"
#include "app/files/progress.h"
#include "app/files/worker_processes.h"
#include "app/regression/case.h"
#include "app/regression/junit.h"
#include "app/regression/regression.h"
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
  std::size_t checked = 0, failed = 0, refused = 0, broken = 0, not_compared = 0;
  std::string cycles = kCaseCyclesHeader;
  std::vector<JunitCase> results;
  std::set<std::string> not_built;  ///< Words of `rtl build`.
  std::string last_refusal;

  std::size_t all() const { return checked + refused + broken + not_compared; }
};

/// What cannot be written is refused before the cases run, not after.
void require_writable(const std::string& file) {
  if (!file.empty()) const AtomicFile probe(file);
}

void require_options(const RegressOptions& options) {
  if (!options.cycles.empty() && (options.level != "all" || options.bless)) {
    throw InputError("--cycles", "'" + options.cycles + "'",
                     "a table of all levels, expected --level all and no --bless");
  }
  if (options.bless && options.cases.empty() && !options.all)
    throw InputError("--bless", "without a case", "expected names of cases, or --all");
  require_writable(options.junit);
  require_writable(options.cycles);
}

void print_differences(const std::string& name, const std::vector<std::string>& differences) {
  // All are counted; more than a few of one case say nothing new.
  constexpr std::size_t kMostShown = 5;
  for (std::size_t i = 0; i < std::min(kMostShown, differences.size()); ++i)
    fmt::print(stderr, "{}: {}\n", name, differences[i]);
  if (differences.size() > kMostShown)
    fmt::print(stderr, "{}: {} differences in all\n", name, differences.size());
}

void take_verdict(const CaseOutcome& outcome, bool bless, Tally& tally) {
  const CaseVerdict& verdict = outcome.verdict;
  tally.not_built.insert(verdict.not_built.begin(), verdict.not_built.end());
  if (verdict.good() && verdict.values + verdict.counters + verdict.bounds == 0) {
    // Only RTL was wanted of this case, and none is built.
    ++tally.not_compared;
    tally.results.push_back(
        {outcome.name, JunitCase::Kind::kSkipped, {"not compared: its RTL is not built"}});
    fmt::print("{:<40} {}\n", outcome.name, "not compared");
    return;
  }
  ++tally.checked;
  tally.failed += verdict.good() ? 0 : 1;
  tally.cycles += outcome.cycles_line;
  tally.results.push_back({outcome.name,
                           verdict.good() ? JunitCase::Kind::kPassed : JunitCase::Kind::kFailed,
                           verdict.differences});
  fmt::print("{:<40} {:<7} {} values, {} counters{}\n", outcome.name,
             !verdict.good() ? "FAILED"
             : bless         ? "blessed"
                             : "ok",
             verdict.values, verdict.counters,
             verdict.bounds == 0 ? "" : fmt::format(", {} bounds", verdict.bounds));
  print_differences(outcome.name, verdict.differences);
}

void take(const CaseOutcome& outcome, const RegressOptions& options, bool alone, Tally& tally) {
  using Kind = CaseOutcome::Kind;
  if (outcome.kind == Kind::kCompared) return take_verdict(outcome, options.bless, tally);
  tally.results.push_back({outcome.name, JunitCase::Kind::kError, {outcome.why}});
  const char* word = "CRASHED";
  if (outcome.kind == Kind::kLost) {
    ++tally.checked;
    ++tally.failed;
  } else if (outcome.kind == Kind::kBroken) {
    ++tally.broken;
    word = "BROKEN";
  } else {
    ++tally.refused;
    tally.last_refusal = outcome.why;
    // A refusal of all that was asked for is the command's own.
    if (alone) return;
    word = "REFUSED";
  }
  fmt::print("{:<40} {}\n", outcome.name, word);
  fmt::print(stderr, "{}\n", outcome.why);
}

/// What was asked for and not compared stands in the XML beside the cases: as skipped
/// where that is allowed, else as an error, so that XML and exit status say the same.
void write_junit(const RegressOptions& options, const Tally& tally) {
  if (options.junit.empty()) return;
  std::vector<JunitCase> results = tally.results;
  for (const std::string& words : tally.not_built) {
    results.push_back(
        {"rtl " + words,
         options.allow_missing_rtl ? JunitCase::Kind::kSkipped : JunitCase::Kind::kError,
         {"not compared, because its RTL is not built: quadrille rtl build " + words}});
  }
  if (tally.checked + tally.refused + tally.broken == 0)
    results.push_back({"regress", JunitCase::Kind::kError, {"nothing was compared"}});
  write_file(options.junit, junit_xml("quadrille regress", results));
}

int status_of(const RegressOptions& options, const Tally& tally) {
  if (tally.broken > 0) return kInvariantViolated;
  if (tally.refused > 0) return kBadInput;
  const bool missing = !tally.not_built.empty() && !options.allow_missing_rtl;
  return options.bless || tally.failed > 0 || tally.checked == 0 || missing ? kComparisonFailed
                                                                            : kGood;
}

/// The last lines, the files, and the exit status.
int conclude(const RegressOptions& options, const Tally& tally) {
  write_junit(options, tally);
  if (tally.refused == 1 && tally.all() == 1) throw InputError(tally.last_refusal);
  fmt::print("{} of {} cases {}\n", tally.checked - tally.failed, tally.all(),
             options.bless ? "blessed" : "ok");
  if (options.bless) {
    // A run that rewrote the goldens has not passed: it was held against nothing.
    fmt::print(stderr,
               "regress: goldens rewritten, nothing compared; expected a run without --bless\n");
    return status_of(options, tally);
  }
  if (tally.checked == 0) fmt::print(stderr, "regress: nothing was compared\n");
  for (const std::string& words : tally.not_built) {
    fmt::print(stderr,
               "regress: not compared, because its RTL is not built: quadrille rtl build {}\n",
               words);
  }
  const bool whole = tally.failed + tally.refused + tally.broken == 0 && tally.checked > 0;
  if (!options.cycles.empty() && whole) write_file(options.cycles, tally.cycles);
  return status_of(options, tally);
}

}  // namespace

const std::vector<std::string>& regress_levels() {
  static const std::vector<std::string> levels = {"fixed", "systemc", "rtl", "all"};
  return levels;
}

int regress_command(const RegressOptions& options) {
  require_options(options);
  Regression regression;
  regression.cases = options.cases.empty() ? shipped_cases() : matching_cases(options.cases);
  regression.levels = levels_of(options.level);
  regression.bless = options.bless;
  regression.processes = processes_of(options.processes);
  const std::size_t count = regression.cases.size();
  Tally tally;
  Progress progress;
  run_cases(
      regression,
      [&](const CaseOutcome& outcome) {
        progress.clear();
        take(outcome, options, count == 1, tally);
        std::fflush(stdout);  // Who follows a log sees each case when it has ended.
      },
      [&](std::size_t ended) { progress.show(fmt::format("{} of {} cases", ended, count)); });
  progress.clear();
  return conclude(options, tally);
}

}  // namespace quadrille::app
