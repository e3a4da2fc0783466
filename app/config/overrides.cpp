#include "app/config/overrides.h"

#include <algorithm>
#include <set>

#include "app/files/suggest.h"
#include "hw/chip_keys.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

constexpr const char* kWorkload = "workload.";

bool begins_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

bool names_chip(const std::string& key) {
  const std::string first = key.substr(0, key.find('.'));
  return std::any_of(hw::chip_keys().begin(), hw::chip_keys().end(), [&](const hw::ChipKey& known) {
    return known.section() == first || known.name == key;
  });
}

std::string nearest_key(const std::string& key) {
  std::vector<std::string> names;
  for (const hw::ChipKey& known : hw::chip_keys()) names.push_back(known.name);
  return did_you_mean(key, names);
}

}  // namespace

Overrides parse_overrides(const std::vector<std::string>& words) {
  Overrides parsed;
  std::set<std::string> keys;
  for (const std::string& word : words) {
    const std::string source = "--set " + printable(word);
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      throw InputError("--set", in_quotes(word), "expected KEY=VALUE");
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (!keys.insert(key).second)
      throw InputError("--set", printable(key), "set twice, expected once");
    if (begins_with(key, kWorkload)) {
      parsed.workload.push_back({key.substr(std::string(kWorkload).size()), value, source});
    } else if (names_chip(key)) {
      parsed.chip.push_back({key, value, source});
    } else {
      throw InputError("--set", printable(key),
                       "expected a key of the chip (cim.rows) or of the workload "
                       "(workload.tokens)" +
                           nearest_key(key));
    }
  }
  return parsed;
}

bool sets_chip_section(const std::string& word) {
  const std::string key = word.substr(0, word.find('='));
  return key.find('.') != std::string::npos && names_chip(key);
}

YamlNode with_overrides(YamlNode root, const std::vector<Override>& overrides) {
  for (const Override& one : overrides) root = assigned(root, one.key, one.value, one.source);
  return root;
}

}  // namespace quadrille::app
