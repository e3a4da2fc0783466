#include "app/sweep/objectives.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "app/files/suggest.h"

namespace quadrille::app {
namespace {

using Relation = Constraint::Relation;

// Longer signs come before those that they begin with.
constexpr std::array<std::pair<const char*, Relation>, 6> kRelations = {{
    {"<=", Relation::kAtMost},
    {">=", Relation::kAtLeast},
    {"==", Relation::kEqual},
    {"!=", Relation::kUnequal},
    {"<", Relation::kBelow},
    {">", Relation::kAbove},
}};

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool beats(const std::vector<double>& a, const std::vector<double>& b) {
  bool smaller = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    smaller = smaller || a[i] < b[i];
  }
  return smaller;
}

}  // namespace

bool Constraint::holds(double value) const {
  switch (relation) {
    case Relation::kAtMost:
      return value <= bound;
    case Relation::kAtLeast:
      return value >= bound;
    case Relation::kBelow:
      return value < bound;
    case Relation::kAbove:
      return value > bound;
    case Relation::kEqual:
      return value == bound;
    case Relation::kUnequal:
      return value != bound;
  }
  return false;
}

ParsedConstraint parse_constraint(const std::string& text) {
  ParsedConstraint parsed;
  const std::size_t at = text.find_first_of("<>=!");
  for (const auto& [sign, relation] : kRelations) {
    const std::string word = sign;
    if (at == std::string::npos || text.compare(at, word.size(), word) != 0) continue;
    parsed.constraint.total = trimmed(text.substr(0, at));
    parsed.constraint.relation = relation;
    const std::string number = trimmed(text.substr(at + word.size()));
    const char* end = number.data() + number.size();
    const auto read = std::from_chars(number.data(), end, parsed.constraint.bound);
    const bool good = read.ec == std::errc() && read.ptr == end &&
                      std::isfinite(parsed.constraint.bound) && !parsed.constraint.total.empty();
    if (good) return parsed;
    break;
  }
  parsed.expectation =
      "expected a total of summary.json, one of <= >= < > == != and a number, as in "
      "'area_um2 <= 2e7', found " +
      in_quotes(text);
  return parsed;
}

Objective parse_objective(const std::string& text) {
  const std::string word = trimmed(text);
  if (!word.empty() && word.front() == '-') return {trimmed(word.substr(1)), true};
  return {word, false};
}

std::vector<bool> pareto_front(const std::vector<std::vector<double>>& costs) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // In lexicographic order nobody is beaten by a later point, so every point needs to be
  // held against the front so far only.
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return costs[a] != costs[b] ? costs[a] < costs[b] : a < b;
  });
  std::vector<bool> marked(costs.size(), false);
  std::vector<std::size_t> front;
  for (const std::size_t point : order) {
    marked[point] = std::none_of(front.begin(), front.end(), [&](std::size_t other) {
      return beats(costs[other], costs[point]);
    });
    if (marked[point]) front.push_back(point);
  }
  return marked;
}

}  // namespace quadrille::app
