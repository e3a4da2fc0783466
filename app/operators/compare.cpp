#include "app/operators/compare.h"

#include <fmt/format.h>

namespace quadrille::app {

std::size_t compared_values(const OperatorResult& expected, const OperatorResult& found) {
  std::size_t values = 0;
  for (const auto& [name, tensor] : expected.integers) {
    const auto other = found.integers.find(name);
    if (other == found.integers.end()) continue;
    if (!tensor.passes_through && !other->second.passes_through) values += tensor.codes.size();
  }
  return values;
}

std::optional<std::string> first_difference(const std::string& expected_name,
                                            const OperatorResult& expected,
                                            const std::string& found_name,
                                            const OperatorResult& found) {
  for (const auto& [name, tensor] : expected.integers) {
    const auto other = found.integers.find(name);
    if (other == found.integers.end())
      return fmt::format("tensor '{}_q': missing in {}", name, found_name);
    if (tensor.shape != other->second.shape || tensor.codes.size() != other->second.codes.size()) {
      return fmt::format("tensor '{}_q': shape {} in {}, {} in {}", name, shape_text(tensor.shape),
                         expected_name, shape_text(other->second.shape), found_name);
    }
    for (std::size_t i = 0; i < tensor.codes.size(); ++i) {
      if (tensor.codes[i] != other->second.codes[i]) {
        return fmt::format("tensor '{}_q' {}: {} {}, {} {}", name,
                           index_text(static_cast<std::int64_t>(i), tensor.shape), expected_name,
                           tensor.codes[i], found_name, other->second.codes[i]);
      }
    }
  }
  for (const auto& entry : found.integers) {
    if (expected.integers.count(entry.first) == 0)
      return fmt::format("tensor '{}_q': missing in {}", entry.first, expected_name);
  }
  if (compared_values(expected, found) == 0)
    return fmt::format("nothing to compare in {} and {}", expected_name, found_name);
  return std::nullopt;
}

}  // namespace quadrille::app
