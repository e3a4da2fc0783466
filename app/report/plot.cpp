#include "app/report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "model/errors.h"

namespace quadrille::app {
namespace {

using Text = std::back_insert_iterator<std::string>;

constexpr double kWidth = 760;
constexpr double kHeight = 460;
constexpr double kLeft = 86;
constexpr double kTop = 44;
constexpr double kBottom = 62;
constexpr double kRight = 26;
constexpr double kLegendWidth = 208;
constexpr double kLegendLine = 19;
constexpr int kMostTicks = 8;

// Okabe and Ito's colours, which colour-blind readers tell apart.
constexpr std::array<const char*, 7> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#000000"};

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// Where values lie along an axis: in the axis' own coordinate (its logarithm on
/// a logarithmic axis), from `begin` to `end`, with ticks.
struct Axis {
  AxisScale scale = AxisScale::kLinear;
  double begin = 0.0;
  double end = 1.0;
  struct Tick {
    double at = 0.0;  ///< In the axis' coordinate.
    std::string label;
  };
  std::vector<Tick> ticks;

  bool shows(double value) const {
    return std::isfinite(value) && (scale == AxisScale::kLinear || value > 0.0);
  }
  double coordinate(double value) const {
    if (scale == AxisScale::kLog2) return std::log2(value);
    if (scale == AxisScale::kLog10) return std::log10(value);
    return value;
  }
  /// 0 at the begin, 1 at the end.
  double share(double value) const { return share_of(coordinate(value)); }
  double share_of(double at) const { return (at - begin) / (end - begin); }
};

/// The least of 1, 2, 5 times a power of ten that cuts `span` into at most
/// kMostTicks.
double nice_step(double span) {
  const double raw = span / kMostTicks;
  const double decade = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * decade >= raw * (1.0 - 1e-9)) return factor * decade;
  }
  return 10.0 * decade;
}

std::string plain_number(double value, double step) {
  const double magnitude = std::max(std::fabs(value), step);
  if (magnitude >= 1e6 || magnitude < 1e-4) return fmt::format("{:.3g}", value);
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return fmt::format("{:.{}f}", value, digits);
}

/// A power as its base with a raised exponent, those near 1 written out.
std::string power_label(int base, int exponent) {
  if (exponent >= (base == 2 ? 0 : -3) && exponent <= (base == 2 ? 10 : 3))
    return fmt::format("{:g}", std::pow(base, exponent));
  return fmt::format("{}<tspan dy=\"-5\" font-size=\"9\">{}</tspan>", base, exponent);
}

void set_linear_ticks(Axis& axis, bool begin_fixed, bool end_fixed) {
  const double step = nice_step(axis.end - axis.begin);
  const double first = std::floor(axis.begin / step + 1e-9);
  const double last = std::ceil(axis.end / step - 1e-9);
  if (!begin_fixed) axis.begin = first * step;
  if (!end_fixed) axis.end = last * step;
  const auto steps = static_cast<int>(last - first);
  for (int i = 0; i <= steps; ++i) {
    const double k = first + i;
    const double at = k == 0.0 ? 0.0 : k * step;
    axis.ticks.push_back({at, plain_number(at, step)});
  }
}

void set_log_ticks(Axis& axis, bool begin_fixed, bool end_fixed) {
  const int base = axis.scale == AxisScale::kLog2 ? 2 : 10;
  const int first = static_cast<int>(std::floor(axis.begin + 1e-9));
  const int last = std::max(first + 1, static_cast<int>(std::ceil(axis.end - 1e-9)));
  if (!begin_fixed) axis.begin = first;
  if (!end_fixed) axis.end = last;
  const int step = (last - first) / (2 * kMostTicks) + 1;
  for (int k = first; k <= last; k += step)
    axis.ticks.push_back({static_cast<double>(k), power_label(base, k)});
  if (base != 10 || last - first > 2) return;
  for (int k = first; k < last; ++k) {
    for (const int factor : {2, 5}) {
      const double value = factor * std::pow(10.0, k);
      axis.ticks.push_back({std::log10(value), fmt::format("{:g}", value)});
    }
  }
}

Axis make_axis(const PlotAxis& wanted, const std::vector<const std::vector<double>*>& data) {
  Axis axis;
  axis.scale = wanted.scale;
  bool empty = true;
  const auto take = [&](double value) {
    if (!axis.shows(value)) return;
    const double at = axis.coordinate(value);
    axis.begin = empty ? at : std::min(axis.begin, at);
    axis.end = empty ? at : std::max(axis.end, at);
    empty = false;
  };
  for (const std::vector<double>* values : data) {
    for (const double value : *values) take(value);
  }
  for (const auto& bound : {wanted.least, wanted.largest}) {
    if (bound && !axis.shows(*bound))
      throw InvariantError("plot: an end of an axis is not on its scale");
  }
  if (wanted.least) axis.begin = axis.coordinate(*wanted.least);
  if (wanted.largest) axis.end = axis.coordinate(*wanted.largest);
  if (!(axis.end - axis.begin > 1e-12 * std::max(std::fabs(axis.begin), 1e-290))) {
    // One value alone, or none: a range of its own size around it.
    const double half =
        axis.scale == AxisScale::kLinear && axis.begin != 0.0 ? 0.5 * std::fabs(axis.begin) : 0.5;
    const double middle = axis.begin;
    if (!wanted.least) axis.begin = middle - half;
    axis.end = std::max(middle + half, axis.begin + half);
  }
  const bool begin_fixed = wanted.least.has_value();
  const bool end_fixed = wanted.largest.has_value();
  if (axis.scale == AxisScale::kLinear) {
    set_linear_ticks(axis, begin_fixed, end_fixed);
  } else {
    set_log_ticks(axis, begin_fixed, end_fixed);
  }
  const auto outside = [&](const Axis::Tick& tick) {
    const double share = axis.share_of(tick.at);
    return share < -1e-9 || share > 1.0 + 1e-9;
  };
  axis.ticks.erase(std::remove_if(axis.ticks.begin(), axis.ticks.end(), outside), axis.ticks.end());
  return axis;
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot), to_(svg_) {
    std::vector<const std::vector<double>*> xs, ys;
    for (const PlotSeries& series : plot.series) {
      if (series.x.size() != series.y.size())
        throw InvariantError("plot: series '" + series.name + "' has x and y of different sizes");
      xs.push_back(&series.x);
      ys.push_back(&series.y);
      legend_ = legend_ || !series.name.empty();
    }
    x_ = make_axis(plot.x, xs);
    y_ = make_axis(plot.y, ys);
    width_ = kWidth - kLeft - kRight - (legend_ ? kLegendWidth : 0.0);
    height_ = kHeight - kTop - kBottom;
  }

  std::string draw() {
    begin();
    put_ticks();
    fmt::format_to(to_, "<g clip-path=\"url(#area)\">\n");
    for (std::size_t i = 0; i < plot_.series.size(); ++i) put_series(plot_.series[i], i);
    fmt::format_to(to_, "</g>\n");
    put_legend();
    svg_ += "</svg>\n";
    return std::move(svg_);
  }

 private:
  double px(double value) const { return kLeft + width_ * x_.share(value); }
  double py(double value) const { return kTop + height_ * (1.0 - y_.share(value)); }

  static std::size_t style_of(const PlotSeries& series, std::size_t index) {
    return series.style ? static_cast<std::size_t>(*series.style) : index;
  }
  static const char* colour(std::size_t style) { return kColours[style % kColours.size()]; }

  void begin() {
    fmt::format_to(to_,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                   "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                   "<defs><clipPath id=\"area\"><rect x=\"{2:.2f}\" y=\"{3:.2f}\" "
                   "width=\"{4:.2f}\" height=\"{5:.2f}\"/></clipPath></defs>\n"
                   "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
                   kWidth, kHeight, kLeft, kTop, width_, height_);
    const double middle = kLeft + width_ / 2;
    fmt::format_to(to_,
                   "<text x=\"{:.2f}\" y=\"24\" font-size=\"15\" text-anchor=\"middle\">{}</text>\n"
                   "<text x=\"{:.2f}\" y=\"{:.2f}\" font-size=\"13\" "
                   "text-anchor=\"middle\">{}</text>\n",
                   legend_ ? kWidth / 2 : middle, escaped(plot_.title), middle, kHeight - 16,
                   escaped(plot_.x.label));
    const double centre = kTop + height_ / 2;
    fmt::format_to(to_,
                   "<text x=\"20\" y=\"{0:.2f}\" font-size=\"13\" text-anchor=\"middle\" "
                   "transform=\"rotate(-90 20 {0:.2f})\">{1}</text>\n",
                   centre, escaped(plot_.y.label));
  }

  void put_ticks() {
    for (const Axis::Tick& tick : x_.ticks) {
      const double at = kLeft + width_ * x_.share_of(tick.at);
      fmt::format_to(
          to_,
          "<path d=\"M{0:.2f} {1:.2f}V{2:.2f}\" stroke=\"#e4e4e4\"/><text class=\"tick\" "
          "x=\"{0:.2f}\" y=\"{3:.2f}\" text-anchor=\"middle\">{4}</text>\n",
          at, kTop, kTop + height_, kTop + height_ + 18, tick.label);
    }
    for (const Axis::Tick& tick : y_.ticks) {
      const double at = kTop + height_ * (1.0 - y_.share_of(tick.at));
      fmt::format_to(
          to_,
          "<path d=\"M{0:.2f} {1:.2f}H{2:.2f}\" stroke=\"#e4e4e4\"/><text class=\"tick\" "
          "x=\"{3:.2f}\" y=\"{4:.2f}\" text-anchor=\"end\">{5}</text>\n",
          kLeft, at, kLeft + width_, kLeft - 8, at + 4, tick.label);
    }
    fmt::format_to(to_,
                   "<rect class=\"frame\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" "
                   "height=\"{:.2f}\" fill=\"none\" stroke=\"#404040\"/>\n",
                   kLeft, kTop, width_, height_);
  }

  void put_line(const std::string& points, std::size_t style, bool dashed) {
    fmt::format_to(to_,
                   "<polyline class=\"line\" points=\"{}\" fill=\"none\" stroke=\"{}\" "
                   "stroke-width=\"1.6\"{}/>\n",
                   points, colour(style), dashed ? " stroke-dasharray=\"6 4\"" : "");
  }

  void put_marker(double x, double y, std::size_t style) {
    if (style % 3 == 0) {
      fmt::format_to(to_, "<circle class=\"point\" cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"3.2\"", x, y);
    } else if (style % 3 == 1) {
      fmt::format_to(to_,
                     "<rect class=\"point\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"6\" height=\"6\"",
                     x - 3, y - 3);
    } else {
      fmt::format_to(to_, "<path class=\"point\" d=\"M{:.2f} {:.2f}l4 4l-4 4l-4 -4z\"", x, y - 4);
    }
    fmt::format_to(to_, " fill=\"{}\"/>\n", colour(style));
  }

  void put_series(const PlotSeries& series, std::size_t index) {
    const std::size_t style = style_of(series, index);
    std::string points;
    const auto end_line = [&] {
      if (series.line && !points.empty()) put_line(points, style, series.dashed);
      points.clear();
    };
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!x_.shows(series.x[i]) || !y_.shows(series.y[i])) {
        end_line();
        continue;
      }
      points += fmt::format("{}{:.2f},{:.2f}", points.empty() ? "" : " ", px(series.x[i]),
                            py(series.y[i]));
    }
    end_line();
    if (!series.markers) return;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (x_.shows(series.x[i]) && y_.shows(series.y[i]))
        put_marker(px(series.x[i]), py(series.y[i]), style);
    }
  }

  void put_legend() {
    double y = kTop + 10;
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      const PlotSeries& series = plot_.series[i];
      if (series.name.empty()) continue;
      const double x = kLeft + width_ + 14;
      const std::size_t style = style_of(series, i);
      if (series.line)
        put_line(fmt::format("{:.2f},{:.2f} {:.2f},{:.2f}", x, y, x + 24, y), style, series.dashed);
      if (series.markers) put_marker(x + 12, y, style);
      fmt::format_to(to_, "<text class=\"legend\" x=\"{:.2f}\" y=\"{:.2f}\">{}</text>\n", x + 30,
                     y + 4, escaped(series.name));
      y += kLegendLine;
    }
  }

  const Plot& plot_;
  std::string svg_;
  Text to_;
  Axis x_, y_;
  double width_ = 0.0;
  double height_ = 0.0;
  bool legend_ = false;
};

}  // namespace

std::string plot_svg(const Plot& plot) { return Drawing(plot).draw(); }

}  // namespace quadrille::app
