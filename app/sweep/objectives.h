// What makes a point of a sweep allowed, and what makes it good: constraints,
// objectives and the Pareto front.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

/// "area_um2 <= 2e7": a total of summary.json against a number.
struct Constraint {
  enum class Relation { kAtMost, kAtLeast, kBelow, kAbove, kEqual, kUnequal };

  std::string total;
  Relation relation = Relation::kAtMost;
  double bound = 0.0;

  bool holds(double value) const;
};

/// A constraint, or what was expected where the text is none.
struct ParsedConstraint {
  Constraint constraint;
  std::string expectation;  ///< Empty if the text is a constraint.
};
ParsedConstraint parse_constraint(const std::string& text);

/// "cycles" is to be small, "-tops_per_w" to be large.
struct Objective {
  std::string total;
  bool largest = false;

  std::string text() const { return (largest ? "-" : "") + total; }
};
Objective parse_objective(const std::string& text);

/// Which of `costs` (one vector per point, smaller is better in each place) no other
/// point beats: none is as small everywhere and smaller somewhere. Equal points are on
/// the front together.
std::vector<bool> pareto_front(const std::vector<std::vector<double>>& costs);

}  // namespace quadrille::app
