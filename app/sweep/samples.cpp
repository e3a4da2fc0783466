#include "app/sweep/samples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <random>

#include "app/files/hash.h"

namespace quadrille::app {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 53;  // a double still has every integer
constexpr std::size_t kMostValues = 1000000;

/// A scalar as it stands, a list as [a, b].
std::string text_of(const YamlNode& node) {
  if (!node.is_sequence()) return node.as_text();
  std::vector<std::string> words;
  for (const YamlNode& item : node.items()) words.push_back(item.as_text());
  return fmt::format("[{}]", fmt::join(words, ", "));
}

std::vector<std::string> listed(const YamlNode& node) {
  std::vector<std::string> values;
  for (const YamlNode& item : node.items()) values.push_back(text_of(item));
  if (values.empty()) node.fail("expected at least one value, found an empty list");
  return values;
}

/// The list, if the values are written out.
std::optional<std::vector<std::string>> written(const YamlNode& node, const char* else_expected) {
  if (node.is_sequence()) return listed(node);
  if (!node.is_map()) {
    node.fail(fmt::format("expected a list of values or {}{}", else_expected,
                          node.is_scalar() ? ", found '" + node.as_text() + "'" : ""));
  }
  const auto values = node.optional_child("values");
  if (!values) return std::nullopt;
  node.finish();
  return listed(*values);
}

bool is_integer(const YamlNode& node) {
  const std::string text = node.as_text();
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

std::string real_text(double value) { return fmt::format("{:.9g}", value); }

/// Both ends, and whether values between them are integers.
struct Range {
  explicit Range(const YamlNode& node)
      : from(node.child("from").as_number(-1e300, 1e300)),
        to(node.child("to").as_number(-1e300, 1e300)),
        integers(is_integer(node.child("from")) && is_integer(node.child("to"))) {
    if (from > to) node.child("to").fail(fmt::format("expected at least from ({:g})", from));
    if (integers && std::max(std::fabs(from), std::fabs(to)) > static_cast<double>(kLargest))
      node.fail("expected integers of at most 2^53");
  }

  double from;
  double to;
  bool integers;
};

/// Uniform in (0, 1), from the generator's own bits: the standard's distributions differ
/// between libraries.
double uniform(std::mt19937_64& random) {
  return std::ldexp(static_cast<double>(random() >> 11) + 0.5, -53);
}

/// One of first, first + 1, ..., last.
std::int64_t pick(std::mt19937_64& random, std::int64_t first, std::int64_t last) {
  const double count = static_cast<double>(last - first) + 1.0;
  const auto chosen = static_cast<std::int64_t>(uniform(random) * count);
  return std::min(last, first + chosen);
}

/// What is drawn of {from, to}.
struct RandomRange {
  explicit RandomRange(const YamlNode& node, bool only_powers)
      : range(node),
        log(node.boolean("log", false)),
        multiple(node.integer("multiple_of", 1, kLargest, 1)),
        power_of_two(node.boolean("power_of_two", only_powers)) {
    node.finish();
    if (log && range.from <= 0.0) node.child("from").fail("expected more than 0 with log: true");
    if ((multiple > 1 || power_of_two) && !range.integers)
      node.child("from").fail("expected whole numbers from and to");
    if (power_of_two) {
      if (range.from < 1.0) node.child("from").fail("expected at least 1 for powers of two");
      first = static_cast<std::int64_t>(std::ceil(std::log2(range.from)));
      last = static_cast<std::int64_t>(std::floor(std::log2(range.to)));
    } else if (range.integers) {
      first = static_cast<std::int64_t>(std::ceil(range.from / static_cast<double>(multiple)));
      last = static_cast<std::int64_t>(std::floor(range.to / static_cast<double>(multiple)));
    }
    if (first > last) {
      node.fail(
          fmt::format("expected {} between from and to",
                      power_of_two ? "a power of two" : fmt::format("a multiple of {}", multiple)));
    }
  }

  std::string draw(std::mt19937_64& random) const {
    if (power_of_two) return fmt::format("{}", std::int64_t{1} << pick(random, first, last));
    if (!range.integers) {
      const double value = log ? logarithmic(random, range.from, range.to)
                               : range.from + (range.to - range.from) * uniform(random);
      return real_text(std::min(range.to, std::max(range.from, value)));
    }
    if (!log) return fmt::format("{}", multiple * pick(random, first, last));
    const double value = logarithmic(random, static_cast<double>(first), static_cast<double>(last));
    const auto whole = static_cast<std::int64_t>(std::nearbyint(value));
    return fmt::format("{}", multiple * std::min(last, std::max(first, whole)));
  }

  static double logarithmic(std::mt19937_64& random, double from, double to) {
    return from * std::exp(std::log(to / from) * uniform(random));
  }

  Range range;
  bool log;
  std::int64_t multiple;
  bool power_of_two;
  std::int64_t first = 0;  ///< Of the exponents, or of the multiples.
  std::int64_t last = 0;
};

}  // namespace

std::vector<std::string> grid_values(const YamlNode& node) {
  if (auto values = written(node, "{from, to, step}")) return *values;
  const Range range(node);
  const auto step = node.optional_child("step");
  const auto factor = node.optional_child("factor");
  node.finish();
  if (step.has_value() == factor.has_value()) node.fail("expected step or factor beside from, to");
  const double by = step ? step->as_number(1e-300, 1e300) : factor->as_number(1.0 + 1e-6, 1e300);
  if (factor && range.from <= 0.0) node.child("from").fail("expected more than 0 with a factor");
  const bool integers = range.integers && is_integer(step ? *step : *factor);
  std::vector<std::string> values;
  // The last value may miss the end by what its own rounding costs.
  const double end = range.to + 1e-9 * std::fabs(range.to);
  for (std::size_t i = 0;; ++i) {
    const double value = step ? range.from + static_cast<double>(i) * by
                              : range.from * std::pow(by, static_cast<double>(i));
    if (value > end) return values;
    if (values.size() == kMostValues) node.fail("expected at most a million values");
    values.push_back(integers ? fmt::format("{}", static_cast<std::int64_t>(std::nearbyint(value)))
                              : real_text(value));
  }
}

std::vector<std::string> random_values(const YamlNode& node, const RandomDraw& draw) {
  std::mt19937_64 random(draw.seed ^ fnv1a_64(draw.key));
  std::vector<std::string> values;
  values.reserve(static_cast<std::size_t>(draw.points));
  if (const auto words = written(node, "{from, to}")) {
    for (std::int64_t i = 0; i < draw.points; ++i) {
      values.push_back((*words)[static_cast<std::size_t>(
          pick(random, 0, static_cast<std::int64_t>(words->size()) - 1))]);
    }
    return values;
  }
  const RandomRange range(node, draw.power_of_two);
  for (std::int64_t i = 0; i < draw.points; ++i) values.push_back(range.draw(random));
  return values;
}

}  // namespace quadrille::app
