// Numbers as a person reads them.
#pragma once

#include <cstdint>
#include <string>

namespace quadrille::app {

/// Three significant digits and a prefix: si(2.33e-4, "J") = "233 µJ".
std::string si(double value, const char* unit);

/// "134,243"
std::string grouped_digits(std::int64_t value);

}  // namespace quadrille::app
