// Line and scatter plots as SVG. Same plot, same bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace quadrille::app {

enum class AxisScale { kLinear, kLog2, kLog10 };

struct PlotAxis {
  std::string label;  ///< With its unit.
  AxisScale scale = AxisScale::kLinear;
  /// Ends of the axis; without them it spans the points, out to the next tick.
  std::optional<double> least, largest;
};

struct PlotSeries {
  std::string name;  ///< In the legend; empty: not there.
  std::vector<double> x, y;
  bool line = true;
  bool dashed = false;
  bool markers = true;
  /// Colour and marker, of a fixed palette; without it the series' own index.
  std::optional<int> style;
};

struct Plot {
  std::string title;
  PlotAxis x, y;
  std::vector<PlotSeries> series;
};

/// A self-contained SVG. A point that is not finite, or not positive on a
/// logarithmic axis, is left out and breaks the line; what lies beyond given ends
/// is clipped. Elements carry classes: `frame` (the plotting area), `tick`,
/// `line`, `point`, `legend`.
std::string plot_svg(const Plot& plot);

}  // namespace quadrille::app
