#include "app/regression/regression.h"

#include <fmt/format.h>

#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/files/worker_processes.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::json;

/// What a worker sends: what `regress` says of the case, and no more.
std::string to_text(const CaseOutcome& outcome) {
  const CaseVerdict& verdict = outcome.verdict;
  return Json{{"name", outcome.name},
              {"kind", static_cast<int>(outcome.kind)},
              {"why", outcome.why},
              {"differences", verdict.differences},
              {"values", verdict.values},
              {"counters", verdict.counters},
              {"bounds", verdict.bounds},
              {"not_built", verdict.not_built},
              {"cycles_line", outcome.cycles_line}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

CaseOutcome from_text(const std::string& text) {
  const Json json = Json::parse(text);
  CaseOutcome outcome;
  outcome.name = json.at("name");
  outcome.kind = static_cast<CaseOutcome::Kind>(json.at("kind").get<int>());
  outcome.why = json.at("why");
  outcome.cycles_line = json.at("cycles_line");
  outcome.verdict.differences = json.at("differences").get<std::vector<std::string>>();
  outcome.verdict.values = json.at("values");
  outcome.verdict.counters = json.at("counters");
  outcome.verdict.bounds = json.at("bounds");
  outcome.verdict.not_built = json.at("not_built").get<std::vector<std::string>>();
  return outcome;
}

CaseOutcome not_compared(const std::string& name, CaseOutcome::Kind kind, std::string why) {
  CaseOutcome outcome;
  outcome.name = name;
  outcome.kind = kind;
  outcome.why = std::move(why);
  return outcome;
}

CaseOutcome outcome_of(const std::string& given, const Regression& regression) {
  using Kind = CaseOutcome::Kind;
  try {
    Case stored = read_case(given);
    CaseOutcome outcome;
    outcome.name = stored.name;
    outcome.verdict = regression.bless ? bless_case(stored) : check_case(stored, regression.levels);
    outcome.cycles_line = case_cycles_line(stored, outcome.verdict);
    return outcome;
  } catch (const InputError& error) {
    return not_compared(given, Kind::kRefused, error.what());
  } catch (const InvariantError& error) {
    return not_compared(given, Kind::kBroken, std::string("invariant violated: ") + error.what());
  } catch (const std::bad_alloc&) {
    return not_compared(given, Kind::kRefused,
                        given + ": out of memory, expected a case that fits, or fewer with -j");
  } catch (const std::exception& error) {
    return not_compared(given, Kind::kBroken, std::string("internal error: ") + error.what());
  }
}

}  // namespace

void run_cases(const Regression& regression, const std::function<void(const CaseOutcome&)>& take,
               const std::function<void(std::size_t ended)>& tick) {
  const std::vector<std::string>& cases = regression.cases;
  std::vector<std::optional<CaseOutcome>> outcomes(cases.size());
  std::size_t ended = 0, taken = 0;
  const auto keep = [&](std::int64_t item, CaseOutcome outcome) {
    outcomes[static_cast<std::size_t>(item)] = std::move(outcome);
    ++ended;
    for (; taken < outcomes.size() && outcomes[taken]; ++taken) take(*outcomes[taken]);
  };
  ParallelWork work;
  for (std::size_t i = 0; i < cases.size(); ++i) work.items.push_back(static_cast<std::int64_t>(i));
  work.processes = regression.processes;
  work.tries = 1;
  work.work = [&](std::int64_t item) {
    return to_text(outcome_of(cases[static_cast<std::size_t>(item)], regression));
  };
  work.done = [&](std::int64_t item, const std::string& text) { keep(item, from_text(text)); };
  work.lost = [&](std::int64_t item, const std::string& how) {
    const std::string& given = cases[static_cast<std::size_t>(item)];
    keep(item, not_compared(given, CaseOutcome::Kind::kLost,
                            fmt::format("{}: its process ended: {}", given, how)));
  };
  work.tick = [&] { tick(ended); };
  run_in_processes(work);
}

}  // namespace quadrille::app
