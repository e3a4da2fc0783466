// The long judges of plans: `make plan-grid` and `make chip-search`.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <systemc>

#include "testbench/common/environment.h"
#include "testbench/common/plan_judges.h"

namespace quadrille::testbench {
namespace {

constexpr std::uint64_t kSeed = 20250101;
constexpr int kProcesses = 2;

/// Records by property and subject, failures first, the worst of each.
std::string failures_text(const std::vector<PlanRecord>& records, std::size_t each) {
  std::map<std::string, std::vector<PlanRecord>> groups;
  for (const PlanRecord& record : records)
    if (record.failed) groups[record.property + " | " + record.subject].push_back(record);
  std::string text;
  for (const auto& [name, found] : groups) {
    text += fmt::format("{} x {}\n", found.size(), name);
    for (std::size_t i = 0; i < std::min(each, found.size()); ++i)
      text += fmt::format("    point {}: {}\n", found[i].point, found[i].text);
  }
  return text;
}

std::map<std::string, int> counts_of(const std::vector<PlanRecord>& records,
                                     const std::string& property) {
  std::map<std::string, int> counts;
  for (const PlanRecord& record : records)
    if (record.property == property) ++counts[record.subject];
  return counts;
}

int failed(const std::vector<PlanRecord>& records) {
  int count = 0;
  for (const PlanRecord& record : records) count += record.failed ? 1 : 0;
  return count;
}

int search(std::uint64_t seed, int points) {
  constexpr int kSecondsPerPoint = 60;
  fmt::print("seed {}, {} points\n", seed, points);
  std::fflush(stdout);
  const auto records = judge_points(points, kProcesses, kSecondsPerPoint,
                                    [&](int point) { return judge_short_point(seed, point); });
  std::map<std::string, int> properties;
  for (const PlanRecord& record : records) ++properties[record.property];
  for (const auto& [name, count] : properties) fmt::print("{:>8} {}\n", count, name);
  for (const auto& [reason, count] : counts_of(records, "refused"))
    fmt::print("{:>8} refused: {}\n", count, reason);
  fmt::print("{}{} failures\n", failures_text(records, 3), failed(records));
  return failed(records) == 0 ? 0 : 1;
}

std::string page_of(const std::vector<PlanRecord>& records, std::uint64_t seed, int points) {
  std::string page = fmt::format(
      "# Quality of plans\n\n"
      "Written by `make plan-grid` (seed {}, {} points drawn). What is judged stands in\n"
      "`testbench/common/plan_judges.h` and `plan_replay.h`. Excess is what a point costs beyond\n"
      "what is allowed, in percent of its cycles: negative is within.\n\n",
      seed, points);
  page += "| property | judged | beyond | worst excess |\n|---|--:|--:|--:|\n";
  std::set<std::string> properties;
  for (const PlanRecord& record : records) properties.insert(record.property);
  for (const std::string& property : properties) {
    const auto worst = worst_of(records, property);
    page += fmt::format("| {} | {} | {} | {:.2f} % |\n", property, worst.size(), failed(worst),
                        100 * worst.front().excess);
  }
  page += "\n## Refused, by reason\n\n| points | reason |\n|--:|---|\n";
  for (const auto& [reason, count] : counts_of(records, "refused"))
    page += fmt::format("| {} | {} |\n", count, reason);
  for (const std::string& property : properties) {
    if (property == "refused" || property == "planned") continue;
    page += fmt::format("\n## {}\n\n| point | excess | what |\n|--:|--:|---|\n", property);
    const auto worst = worst_of(records, property);
    for (std::size_t i = 0; i < std::min<std::size_t>(5, worst.size()); ++i) {
      std::string text = worst[i].text;
      for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
        text.replace(at, 1, "\\|");
      page += fmt::format("| {} | {:.2f} % | {} |\n", worst[i].point, 100 * worst[i].excess, text);
    }
  }
  return page;
}

int grid(std::uint64_t seed, int points, const std::string& path) {
  constexpr int kSecondsPerPoint = 300;
  constexpr int kBeatPoints = 100;
  fmt::print("seed {}, {} points\n", seed, points);
  std::fflush(stdout);
  // One point of `every` is also run in beat timing; twice as many as are
  // wanted, since some take too many cycles.
  const int every = std::max(1, points / (2 * kBeatPoints));
  const auto records = judge_points(points, kProcesses, kSecondsPerPoint, [&](int point) {
    return judge_grid_point(seed, point, point % every == 0);
  });
  const std::string page = page_of(records, seed, points);
  fmt::print("{}{}{} failures\n", page, failures_text(records, 1), failed(records));
  std::ofstream out(path);
  out << page;
  return out && failed(records) == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
  const std::vector<std::string> faults = environment_faults();
  for (const std::string& fault : faults) fmt::print(stderr, "{}\n", fault);
  if (!faults.empty()) return 2;
  const std::uint64_t seed = test_seed(kSeed);
  if (arguments.size() == 2 && arguments[0] == "grid")
    return grid(seed, plan_points(2500), arguments[1]);
  if (arguments.size() == 1 && arguments[0] == "search") return search(seed, plan_points(20000));
  if (arguments.size() == 2 && arguments[0] == "grid-point") {
    fmt::print("{}", grid_point_files(seed, std::stoi(arguments[1])));
    return 0;
  }
  if (arguments.size() == 2 && arguments[0] == "search-point") {
    fmt::print("{}", short_point_files(seed, std::stoi(arguments[1])));
    return 0;
  }
  fmt::print(stderr,
             "quadrille_plan_grid grid PAGE.md | search | grid-point N | search-point N\n"
             "QUADRILLE_SEED and QUADRILLE_POINTS say which points and how many\n");
  return 2;
}

}  // namespace
}  // namespace quadrille::testbench

int sc_main(int argc, char** argv) {
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  try {
    return quadrille::testbench::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "quadrille_plan_grid: {}\n", error.what());
    return 2;
  }
}
