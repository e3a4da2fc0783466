#include "app/report/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace quadrille::app {

std::string si(double value, const char* unit) {
  static const char* const prefixes[] = {"p", "n", "µ", "m", "", "k", "M", "G", "T", "P"};
  constexpr int kNone = 4;
  if (value == 0.0 || !std::isfinite(value)) return fmt::format("{:g} {}", value, unit);
  // Rounded first: 999.7 is 1.00 of the next prefix.
  const double magnitude = std::fabs(value);
  const double digits = std::pow(10.0, 2 - static_cast<int>(std::floor(std::log10(magnitude))));
  const double rounded = std::round(magnitude * digits) / digits;
  const int last = static_cast<int>(std::size(prefixes)) - 1;
  const int step =
      std::clamp(kNone + static_cast<int>(std::floor(std::log10(rounded) / 3.0 + 1e-9)), 0, last);
  const double scaled = rounded / std::pow(1000.0, step - kNone);
  const int decimals = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return fmt::format("{}{:.{}f} {}{}", value < 0.0 ? "-" : "", scaled, decimals, prefixes[step],
                     unit);
}

std::string grouped_digits(std::int64_t value) {
  std::string text = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

}  // namespace quadrille::app
