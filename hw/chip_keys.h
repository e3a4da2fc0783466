// The one table of the keys of a chip file. The reader, the ranges, suggestions
// and docs/files.md follow from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hw/chip_config.h"

namespace quadrille::hw {

/// A value as a chip file writes it, in the key's unit.
using ChipKeyValue = std::variant<std::int64_t, double, bool, std::string>;

/// One key: what it sets, in which unit and range, and what it means.
struct ChipKey {
  enum class Kind { kInteger, kReal, kBoolean, kWord, kText };

  std::string name;  ///< "clock_mhz", "cim.rows".
  std::string unit;  ///< Empty for counts, words and text.
  Kind kind = Kind::kInteger;
  double least = 0.0;  ///< Integers and reals.
  double most = 0.0;
  bool power_of_two = false;       ///< Integers.
  std::vector<std::string> words;  ///< The values of kWord.
  bool required = false;           ///< A file without `base` must have it.
  bool plain_dram = false;         ///< Of the DRAM of kind `plain` alone.
  std::string meaning;             ///< One line for the documentation.

  ChipKeyValue (*get)(const ChipValues&) = nullptr;
  void (*set)(ChipValues&, const ChipKeyValue&) = nullptr;
  /// False: the member has a finer unit than the key, and is no whole number of it.
  bool (*whole)(const ChipValues&) = nullptr;

  /// "cim" of "cim.rows", empty of "clock_mhz".
  std::string section() const;
  /// "rows" of "cim.rows".
  std::string leaf() const;
  /// The allowed values: "1..65536", "a power of two in 16..256", "tile or beat".
  std::string range() const;
  /// Whether the value in `chip` is allowed.
  bool allows(const ChipValues& chip) const;
  /// The value in `chip`, as a file writes it.
  std::string text(const ChipValues& chip) const;
};

/// In the order of chips/default.yaml. The default of a key is the initial value
/// of its member in ChipValues.
///
/// A key that is added later has the default with which files that lack it
/// describe the chip they always described, even where chips/default.yaml then
/// says something else. A key that goes gets an entry in removed_chip_keys().
const std::vector<ChipKey>& chip_keys();

/// The key of that name; InvariantError if there is none.
const ChipKey& chip_key(std::string_view name);

/// A key that chip files had once, and the sentence that says what to write instead.
struct RemovedChipKey {
  std::string name;
  std::string instead;
};
const std::vector<RemovedChipKey>& removed_chip_keys();

/// The table of docs/files.md.
std::string chip_keys_markdown();

}  // namespace quadrille::hw
