// KEY=VALUE settings of an operator, from --set or from a case file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/config/choices.h"

namespace quadrille::app {

/// Every getter remembers its key; finish() refuses whatever no getter asked
/// for, with the nearest known key. Errors are InputErrors "WHERE: KEY: ...".
class Settings {
 public:
  /// `where` names the source in messages: "--set", or a file.
  Settings(std::string where, std::map<std::string, std::string> values)
      : where_(std::move(where)), values_(std::move(values)) {}
  /// From "KEY=VALUE" words; a key twice is an error.
  static Settings parse(const std::vector<std::string>& assignments);

  template <typename Value>
  Value choice(const std::string& key, const Choices<Value>& choices) {
    return choices[pick(key, words(choices))].second;
  }
  bool boolean(const std::string& key) { return choice(key, kBooleanChoices); }
  int integer(const std::string& key, int standard, int least, int largest);
  /// A finite number greater than zero.
  double positive(const std::string& key, double standard);
  /// A finite number, zero or greater.
  double non_negative(const std::string& key, double standard);
  void finish() const;

  bool given(const std::string& key) const { return values_.count(key) != 0; }
  /// Throws the InputError "WHERE: KEY: EXPECTATION".
  [[noreturn]] void refuse(const std::string& key, const std::string& expectation) const;

  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  /// The index of the chosen word; without the key the first, which is the default.
  std::size_t pick(const std::string& key, const std::vector<std::string>& words);
  const std::string* find(const std::string& key);

  std::string where_;
  std::map<std::string, std::string> values_;
  std::vector<std::string> known_;
};

/// The settings of DAMF, with the defaults of model::DamfSettings.
model::DamfSettings read_damf_settings(Settings& settings);

}  // namespace quadrille::app
