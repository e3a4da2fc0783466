// Question: is a plot well-formed, and does each point lie where its values say?
#include "app/report/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <limits>
#include <regex>

#include "model/errors.h"

namespace quadrille::app {
namespace {

/// Tags open and close in order, attributes are quoted, text has no bare markup.
void expect_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  std::size_t at = 0;
  const std::regex tag(R"(^<(/?)([A-Za-z]+)((?: [A-Za-z:-]+="[^"<&]*")*)(/?)>)");
  const std::regex text(R"(^(?:[^<&]|&(?:amp|lt|gt|quot);)+)");
  while (at < xml.size()) {
    std::smatch match;
    const std::string rest = xml.substr(at, 20000);
    if (std::regex_search(rest, match, tag)) {
      if (match[1].length() != 0) {
        ASSERT_FALSE(open.empty());
        ASSERT_EQ(open.back(), match[2].str());
        open.pop_back();
      } else if (match[4].length() == 0) {
        open.push_back(match[2].str());
      }
    } else {
      ASSERT_TRUE(std::regex_search(rest, match, text)) << rest.substr(0, 80);
    }
    at += static_cast<std::size_t>(match.length());
  }
  EXPECT_TRUE(open.empty());
}

struct Point {
  double x = 0.0;
  double y = 0.0;
};

struct Frame {
  double x = 0.0, y = 0.0, width = 0.0, height = 0.0;
};

Frame frame_of(const std::string& svg) {
  const std::regex rule(
      "class=\"frame\" x=\"([0-9.]+)\" y=\"([0-9.]+)\" width=\"([0-9.]+)\" height=\"([0-9.]+)\"");
  std::smatch match;
  EXPECT_TRUE(std::regex_search(svg, match, rule));
  return {std::stod(match[1]), std::stod(match[2]), std::stod(match[3]), std::stod(match[4])};
}

/// Markers of the first style; without names the legend has none.
std::vector<Point> points_of(const std::string& svg) {
  const std::regex rule("class=\"point\" cx=\"([0-9.-]+)\" cy=\"([0-9.-]+)\"");
  std::vector<Point> points;
  for (std::sregex_iterator i(svg.begin(), svg.end(), rule), end; i != end; ++i)
    points.push_back({std::stod((*i)[1]), std::stod((*i)[2])});
  return points;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

PlotSeries series(const std::vector<double>& x, const std::vector<double>& y,
                  const std::string& name = "") {
  PlotSeries result;
  result.name = name;
  result.x = x;
  result.y = y;
  return result;
}

// Coordinates are printed with two decimals; the frame's corner too.
constexpr double kPrinted = 0.011;

TEST(Plot, PointsLieWhereTheirValuesSay) {
  Plot plot;
  plot.x = {"x", AxisScale::kLinear, -1.0, 3.0};
  plot.y = {"y", AxisScale::kLinear, 0.0, 10.0};
  plot.series = {series({-1.0, 0.5, 3.0}, {0.0, 2.5, 10.0})};
  const std::string svg = plot_svg(plot);
  expect_well_formed(svg);
  const Frame frame = frame_of(svg);
  const std::vector<Point> points = points_of(svg);
  ASSERT_EQ(points.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(points[i].x, frame.x + frame.width * (plot.series[0].x[i] + 1.0) / 4.0, kPrinted);
    EXPECT_NEAR(points[i].y, frame.y + frame.height * (1.0 - plot.series[0].y[i] / 10.0), kPrinted);
  }
}

TEST(Plot, LogarithmicAxesPlaceEqualFactorsEquallyFarApart) {
  Plot plot;
  plot.x = {"L", AxisScale::kLog2, 64.0, 1024.0};
  plot.y = {"cycles", AxisScale::kLog10, 10.0, 1e5};
  plot.series = {series({64, 128, 1024}, {10, 1000, 1e5})};
  const std::string svg = plot_svg(plot);
  const Frame frame = frame_of(svg);
  const std::vector<Point> points = points_of(svg);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(points[0].x, frame.x, kPrinted);
  EXPECT_NEAR(points[1].x, frame.x + frame.width / 4.0, kPrinted);
  EXPECT_NEAR(points[2].x, frame.x + frame.width, kPrinted);
  EXPECT_NEAR(points[1].y, frame.y + frame.height / 2.0, kPrinted);
  EXPECT_NEAR(points[2].y, frame.y, kPrinted);
}

TEST(Plot, WithoutGivenEndsAllPointsLieInTheFrame) {
  for (const AxisScale scale : {AxisScale::kLinear, AxisScale::kLog2, AxisScale::kLog10}) {
    Plot plot;
    plot.x.scale = plot.y.scale = scale;
    plot.series = {series({0.013, 7.7, 923.0}, {3e-9, 2.0, 4e12})};
    const std::string svg = plot_svg(plot);
    expect_well_formed(svg);
    const Frame frame = frame_of(svg);
    const std::vector<Point> points = points_of(svg);
    ASSERT_EQ(points.size(), 3u);
    for (const Point& point : points) {
      EXPECT_GE(point.x, frame.x - kPrinted);
      EXPECT_LE(point.x, frame.x + frame.width + kPrinted);
      EXPECT_GE(point.y, frame.y - kPrinted);
      EXPECT_LE(point.y, frame.y + frame.height + kPrinted);
    }
    EXPECT_GE(count(svg, "class=\"tick\""), 4u);
    EXPECT_LE(count(svg, "class=\"tick\""), 60u);
  }
}

TEST(Plot, TicksAreRoundNumbers) {
  Plot plot;
  plot.series = {series({0.0, 0.93}, {0.0, 4700.0})};
  const std::string svg = plot_svg(plot);
  for (const char* label : {">0.2<", ">0.4<", ">1.0<", ">1000<", ">5000<", ">0<"})
    EXPECT_THAT(svg, testing::HasSubstr(label));
}

TEST(Plot, LeavesOutWhatItsAxesCannotShow) {
  const double inf = std::numeric_limits<double>::infinity();
  Plot plot;
  plot.y.scale = AxisScale::kLog10;
  plot.series = {series({0, 1, 2, 3, 4, 5, 6}, {1, 10, 0, 5, std::nan(""), inf, 3})};
  const std::string svg = plot_svg(plot);
  expect_well_formed(svg);
  EXPECT_EQ(points_of(svg).size(), 4u);
  EXPECT_EQ(count(svg, "<polyline"), 3u);  // 0 to 1; 3; 6
  EXPECT_EQ(count(svg, "nan") + count(svg, "inf"), 0u);
}

TEST(Plot, EmptyAndDegenerateRangesStillDraw) {
  Plot plot;
  expect_well_formed(plot_svg(plot));
  for (const double value : {0.0, 5.0, -3.0, 1e-300, 1e300}) {
    plot.series = {series({value}, {value})};
    const std::string svg = plot_svg(plot);
    expect_well_formed(svg);
    EXPECT_EQ(points_of(svg).size(), 1u) << value;
    EXPECT_EQ(count(svg, "nan") + count(svg, "inf"), 0u) << value;
    const Frame frame = frame_of(svg);
    EXPECT_GE(points_of(svg)[0].x, frame.x) << value;
    EXPECT_LE(points_of(svg)[0].x, frame.x + frame.width) << value;
  }
  plot.x.scale = plot.y.scale = AxisScale::kLog2;
  for (const double value : {0.0, 5.0, 1e-300}) {
    plot.series = {series({value}, {value})};
    expect_well_formed(plot_svg(plot));
  }
}

TEST(Plot, NamesAreEscapedAndListedOnce) {
  Plot plot;
  plot.title = "a < b & \"c\"";
  plot.series = {series({1, 2}, {1, 2}, "x<y"), series({1, 2}, {2, 1})};
  plot.series[1].dashed = true;
  const std::string svg = plot_svg(plot);
  expect_well_formed(svg);
  EXPECT_THAT(svg, testing::HasSubstr("a &lt; b &amp; &quot;c&quot;"));
  EXPECT_EQ(count(svg, "class=\"legend\""), 1u);
  EXPECT_EQ(count(svg, "stroke-dasharray"), 1u);
  EXPECT_EQ(plot_svg(plot), svg);
}

TEST(Plot, RefusesSeriesOfTwoSizesAndEndsOffTheScale) {
  Plot plot;
  plot.series = {series({1, 2}, {1})};
  EXPECT_THROW(plot_svg(plot), InvariantError);
  plot.series.clear();
  plot.x = {"x", AxisScale::kLog2, 0.0, 8.0};
  EXPECT_THROW(plot_svg(plot), InvariantError);
}

}  // namespace
}  // namespace quadrille::app
