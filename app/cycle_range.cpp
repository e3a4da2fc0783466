#include "app/cycle_range.h"

#include <charconv>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {

CycleRange parse_cycle_range(const std::string& option, const std::string& text) {
  CycleRange range;
  const std::size_t colon = text.find(':');
  const auto number = [&](const std::string& digits, std::int64_t& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 0)
      throw InputError(option, in_quotes(text), "expected FROM:TO, two cycles such as 0:5000");
  };
  if (colon == std::string::npos)
    throw InputError(option, in_quotes(text), "expected FROM:TO, two cycles such as 0:5000");
  number(text.substr(0, colon), range.first);
  number(text.substr(colon + 1), range.last);
  if (range.last < range.first)
    throw InputError(option, in_quotes(text), "expected FROM:TO with TO not before FROM");
  return range;
}

}  // namespace quadrille::app
