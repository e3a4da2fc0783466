#include "app/regression/case_bounds.h"

#include <fmt/format.h>

#include <vector>

#include "app/error_figures.h"
#include "app/files/suggest.h"

namespace quadrille::app {
namespace {

constexpr std::int64_t kMostCycles = std::int64_t{1} << 62;
constexpr double kMostDecibels = 1000.0;
constexpr double kLargest = 1e300;

void require_data(const YamlNode& root, const char* key, bool data) {
  if (!data && root.has(key))
    root.child(key).fail("expected none without data: there are no values");
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

CaseBounds read_bounds(const YamlNode& root, bool data) {
  CaseBounds bounds;
  require_data(root, "sqnr_db", data);
  require_data(root, "tolerance", data);
  if (const auto cycles = root.optional_child("cycles"))
    bounds.cycles_at_most = cycles->integer("at_most", 1, kMostCycles);
  if (const auto sqnr = root.optional_child("sqnr_db"))
    bounds.sqnr_db_at_least = sqnr->number("at_least", -kMostDecibels, kMostDecibels);
  if (const auto tolerance = root.optional_child("tolerance")) {
    for (const std::string& name : tolerance->keys())
      bounds.tolerances[name] = tolerance->child(name).number("max_abs", 0.0, kLargest);
  }
  return bounds;
}

void require_outputs(const YamlNode& root, const CaseBounds& bounds,
                     const OperatorResult& outputs) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : outputs.integers) {
    if (tensor.encoding.empty()) names.push_back(name);
  }
  for (const auto& entry : bounds.tolerances) {
    const auto output = outputs.integers.find(entry.first);
    const YamlNode node = root.child("tolerance").child(entry.first);
    if (output == outputs.integers.end())
      node.fail("no output of this name" + did_you_mean(entry.first, names));
    if (!output->second.encoding.empty())
      node.fail("its codes are no multiples of a scale, expected no tolerance");
  }
}

bool tells_time(const std::string& counter) {
  if (counter == "cycles") return true;
  for (const char* end : {".busy_cycles", ".stalled_cycles", ".idle_cycles"}) {
    if (ends_with(counter, end)) return true;
  }
  return counter.find(".stalls.") != std::string::npos ||
         counter.find(".bank_conflicts.") != std::string::npos;
}

std::optional<std::string> cycles_beyond(const CaseBounds& bounds, const std::string& level,
                                         std::int64_t cycles) {
  if (!bounds.cycles_at_most || cycles <= *bounds.cycles_at_most) return std::nullopt;
  return fmt::format("cycles: {} in {}, expected at most {}", cycles, level,
                     *bounds.cycles_at_most);
}

std::optional<std::string> sqnr_beyond(const CaseBounds& bounds, const std::string& level,
                                       const std::string& judged, const OperatorResult& real,
                                       const OperatorResult& found) {
  if (!bounds.sqnr_db_at_least) return std::nullopt;
  const ErrorFigures figures =
      error_figures(real.reals.at(judged).values, found.reals.at(judged).values);
  // Without any error there is no figure, and none where nothing but zeros was expected.
  if (figures.max_abs == 0.0) return std::nullopt;
  if (figures.sqnr_db && *figures.sqnr_db >= *bounds.sqnr_db_at_least) return std::nullopt;
  return fmt::format("sqnr_db of '{}': {} in {}, expected at least {}", judged,
                     figures.sqnr_db ? fmt::format("{:.3f}", *figures.sqnr_db)
                                     : std::string("none (zeros expected)"),
                     level, *bounds.sqnr_db_at_least);
}

}  // namespace quadrille::app
