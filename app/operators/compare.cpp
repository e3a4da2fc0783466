#include "app/operators/compare.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace quadrille::app {
namespace {

/// Elements of a tensor that differ: how many, the first, and the one that differs most.
struct Apart {
  std::size_t count = 0, first = 0, most = 0;
};

/// `distance` of an element is above zero where it differs.
template <typename Distance>
Apart find_apart(std::size_t elements, Distance distance) {
  Apart apart;
  decltype(distance(0)) largest{};
  for (std::size_t i = 0; i < elements; ++i) {
    const auto here = distance(i);
    if (!(here > decltype(here){})) continue;
    if (apart.count++ == 0) apart.first = i;
    if (here <= largest) continue;
    largest = here;
    apart.most = i;
  }
  return apart;
}

/// "(17 of 168 differ, most at [2,3]: fixed 7, systemc 90)". `values` tells an element's.
template <typename Values>
std::string extent(const Apart& apart, std::size_t elements, const Shape& shape, Values values) {
  if (apart.count == 1) return fmt::format(" (1 of {} differs)", elements);
  const std::string how_many = fmt::format(" ({} of {} differ, ", apart.count, elements);
  if (apart.most == apart.first) return how_many + "none more)";
  return how_many + fmt::format("most at {}: {})",
                                index_text(static_cast<std::int64_t>(apart.most), shape),
                                values(apart.most));
}

}  // namespace

std::optional<std::string> code_difference(const std::string& tensor, const Shape& shape,
                                           const NamedCodes& expected, const NamedCodes& found) {
  const auto& a = expected.codes;
  const auto& b = found.codes;
  const auto distance = [&](std::size_t i) {
    // Modulo 2^64, since the difference of two codes may be no code.
    const auto above = static_cast<std::uint64_t>(a[i]) - static_cast<std::uint64_t>(b[i]);
    return a[i] > b[i] ? above : std::uint64_t{0} - above;
  };
  const auto values = [&](std::size_t i) {
    return fmt::format("{} {}, {} {}", expected.name, a[i], found.name, b[i]);
  };
  const Apart apart = find_apart(a.size(), distance);
  if (apart.count == 0) return std::nullopt;
  return fmt::format("tensor '{}' {}: {}{}", tensor,
                     index_text(static_cast<std::int64_t>(apart.first), shape), values(apart.first),
                     extent(apart, a.size(), shape, values));
}

std::optional<std::string> value_difference(const std::string& tensor, const Shape& shape,
                                            const std::string& expected_name,
                                            const std::vector<double>& expected,
                                            const std::string& found_name,
                                            const std::vector<double>& found, double max_abs) {
  const auto distance = [&](std::size_t i) {
    const double apart = std::fabs(expected[i] - found[i]);
    // What is no number is as far away as anything.
    if (std::isnan(apart)) return std::numeric_limits<double>::infinity();
    return apart <= max_abs ? 0.0 : apart;
  };
  const auto values = [&](std::size_t i) {
    return fmt::format("{} {}, {} {}", expected_name, expected[i], found_name, found[i]);
  };
  const Apart apart = find_apart(expected.size(), distance);
  if (apart.count == 0) return std::nullopt;
  return fmt::format("tensor '{}' {}: {}, expected at most {} apart{}", tensor,
                     index_text(static_cast<std::int64_t>(apart.first), shape), values(apart.first),
                     max_abs, extent(apart, expected.size(), shape, values));
}

std::size_t compared_values(const OperatorResult& expected, const OperatorResult& found) {
  std::size_t values = 0;
  for (const auto& [name, tensor] : expected.integers) {
    const auto other = found.integers.find(name);
    if (other == found.integers.end()) continue;
    if (!tensor.passes_through && !other->second.passes_through) values += tensor.codes.size();
  }
  return values;
}

std::vector<std::string> code_differences(const std::string& expected_name,
                                          const OperatorResult& expected,
                                          const std::string& found_name,
                                          const OperatorResult& found) {
  std::vector<std::string> lines;
  for (const auto& [name, tensor] : expected.integers) {
    const auto other = found.integers.find(name);
    if (other == found.integers.end()) {
      lines.push_back(fmt::format("tensor '{}_q': missing in {}", name, found_name));
    } else if (tensor.shape != other->second.shape ||
               tensor.codes.size() != other->second.codes.size()) {
      lines.push_back(fmt::format("tensor '{}_q': shape {} in {}, {} in {}", name,
                                  shape_text(tensor.shape), expected_name,
                                  shape_text(other->second.shape), found_name));
    } else if (auto line = code_difference(name + "_q", tensor.shape, {expected_name, tensor.codes},
                                           {found_name, other->second.codes})) {
      lines.push_back(*std::move(line));
    }
  }
  for (const auto& entry : found.integers) {
    if (expected.integers.count(entry.first) == 0)
      lines.push_back(fmt::format("tensor '{}_q': missing in {}", entry.first, expected_name));
  }
  if (lines.empty() && compared_values(expected, found) == 0)
    lines.push_back(fmt::format("nothing to compare in {} and {}", expected_name, found_name));
  return lines;
}

}  // namespace quadrille::app
