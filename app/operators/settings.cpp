#include "app/operators/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::optional<double> finite_number(const std::string& text) {
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

}  // namespace

Settings Settings::parse(const std::vector<std::string>& assignments) {
  std::map<std::string, std::string> values;
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw InputError("--set", in_quotes(assignment), "expected KEY=VALUE");
    }
    const std::string key = assignment.substr(0, equals);
    if (!values.emplace(key, assignment.substr(equals + 1)).second) {
      throw InputError("--set", printable(key), "set twice, expected once");
    }
  }
  return {"--set", std::move(values)};
}

void Settings::refuse(const std::string& key, const std::string& expectation) const {
  throw InputError(where_, printable(key), expectation);
}

const std::string* Settings::find(const std::string& key) {
  known_.push_back(key);
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::size_t Settings::pick(const std::string& key, const std::vector<std::string>& words) {
  const std::string* value = find(key);
  if (value == nullptr) return 0;
  const auto word = std::find(words.begin(), words.end(), *value);
  if (word == words.end()) {
    refuse(key, fmt::format("{} is not one of {}{}", in_quotes(*value), fmt::join(words, ", "),
                            did_you_mean(*value, words)));
  }
  return static_cast<std::size_t>(word - words.begin());
}

int Settings::integer(const std::string& key, int standard, int least, int largest) {
  const std::string* value = find(key);
  if (value == nullptr) return standard;
  int number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size() || number < least ||
      number > largest) {
    refuse(key,
           fmt::format("{} is not an integer from {} to {}", in_quotes(*value), least, largest));
  }
  return number;
}

double Settings::positive(const std::string& key, double standard) {
  const std::string* value = find(key);
  if (value == nullptr) return standard;
  const std::optional<double> number = finite_number(*value);
  if (!number || !(*number > 0.0))
    refuse(key, fmt::format("{} is not a finite number above zero", in_quotes(*value)));
  return *number;
}

double Settings::non_negative(const std::string& key, double standard) {
  const std::string* value = find(key);
  if (value == nullptr) return standard;
  const std::optional<double> number = finite_number(*value);
  if (!number || !(*number >= 0.0))
    refuse(key, fmt::format("{} is not a finite number, zero or above", in_quotes(*value)));
  return *number;
}

void Settings::finish() const {
  for (const auto& entry : values_) {
    if (std::find(known_.begin(), known_.end(), entry.first) != known_.end()) continue;
    refuse(entry.first, fmt::format("unknown setting, expected one of {}{}",
                                    fmt::join(known_, ", "), did_you_mean(entry.first, known_)));
  }
}

model::DamfSettings read_damf_settings(Settings& settings) {
  model::DamfSettings damf;
  damf.mode = settings.choice("mode", kDamfModeChoices);
  damf.rounding = settings.choice("rounding", kRoundingChoices);
  damf.maximum = settings.choice("amax", kMaximumChoices);
  damf.negative = settings.choice("negative", kNegativeChoices);
  damf.keep_sigma = settings.choice("sigma", kSigmaChoices);
  damf.shift_order = settings.choice("shift_order", kShiftOrderChoices);
  damf.guard_bits = settings.integer("guard_bits", damf.guard_bits, 0, 16);
  damf.causal = settings.boolean("causal");
  return damf;
}

}  // namespace quadrille::app
