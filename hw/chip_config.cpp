#include "hw/chip_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hw/chip_keys.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using Origins = std::map<std::string, KeyOrigin>;

/// Refuses by the names, units and places that the user wrote.
class Checker {
 public:
  Checker(const ChipValues& chip, const Origins& origins, const std::string& source)
      : chip_(chip), origins_(origins), source_(source) {}

  [[noreturn]] void refuse(const char* key, const std::string& expectation,
                           const std::string& remark = "") const {
    const auto origin = origins_.find(key);
    const bool written = origin != origins_.end();
    std::string place = written ? origin->second.place : "";
    if (!place.empty()) place += ", ";
    std::string found = chip_key(key).text(chip_) + remark;
    if (!written && !origins_.empty()) found += ", the default";
    throw InputError(written ? origin->second.source : source_, place + key,
                     "expected " + expectation + ", found " + found);
  }

  void range(const ChipKey& key) const {
    if (!key.allows(chip_)) refuse(key.name.c_str(), key.range());
  }

  void at_least(const char* key, std::int64_t least, const std::string& why) const {
    if (value(key) < least) refuse(key, fmt::format("at least {}, {}", least, why));
  }

  void at_most(const char* key, std::int64_t most, const std::string& why) const {
    if (value(key) > most) refuse(key, fmt::format("at most {}, {}", most, why));
  }

  void multiple(const char* key, std::int64_t found, std::int64_t of, const char* what) const {
    if (found % of != 0) refuse(key, fmt::format("a multiple of {} = {}", what, of));
  }

  void whole_bytes(const char* key, std::int64_t found, std::int64_t of, const char* what) const {
    if (found % of != 0) refuse(key, fmt::format("a multiple of {} = {} bytes", what, of));
  }

  /// The beats of `key`, of `bytes` each, must tile a scratchpad word.
  void beat(const char* key, std::int64_t bytes) const {
    const std::int64_t word = chip_.scratchpad.word_bytes;
    if (bytes <= word && word % bytes == 0) return;
    refuse(key, "beats that divide " + named("scratchpad.word_bytes"), beat_of(bytes));
  }

  /// The same, or beats of some whole words, which lie in as many banks.
  void wide_beat(const char* key, std::int64_t bytes) const {
    const std::int64_t word = chip_.scratchpad.word_bytes;
    if (bytes <= word || bytes % word != 0) return beat(key, bytes);
    if (bytes / word <= chip_.scratchpad.banks) return;
    refuse(key,
           fmt::format("beats of one word from each bank at most, {} and {}",
                       named("scratchpad.word_bytes"), named("scratchpad.banks")),
           beat_of(bytes));
  }

  /// "scratchpad.banks = 3", with the option that says so if a file does not.
  std::string named(const char* key) const {
    std::string text = fmt::format("{} = {}", key, chip_key(key).text(chip_));
    const auto origin = origins_.find(key);
    if (origin != origins_.end() && origin->second.place.empty())
      text += fmt::format(" ({})", origin->second.source);
    return text;
  }

 private:
  static std::string beat_of(std::int64_t bytes) {
    return fmt::format(" ({} bytes a beat)", bytes);
  }

  std::int64_t value(const char* key) const {
    return std::get<std::int64_t>(chip_key(key).get(chip_));
  }

  const ChipValues& chip_;
  const Origins& origins_;
  const std::string& source_;
};

void check_memories(const Checker& check, const ChipValues& chip) {
  const ScratchpadConfig& scratchpad = chip.scratchpad;
  check.at_least("scratchpad.reader_fifo_words", scratchpad.read_latency_cycles + 1,
                 "one more than " + check.named("scratchpad.read_latency_cycles"));
  check.whole_bytes("scratchpad.capacity_kib", scratchpad.capacity_bytes,
                    std::int64_t{scratchpad.banks} * scratchpad.word_bytes,
                    "scratchpad.banks x scratchpad.word_bytes");
  const DramConfig& dram = chip.dram;
  check.whole_bytes("dram.row_bytes", dram.row_bytes, dram.burst_bytes, "dram.burst_bytes");
  check.whole_bytes("dram.capacity_mib", dram.capacity_bytes,
                    std::int64_t{dram.channels} * dram.row_bytes,
                    "dram.channels x the bytes of a DRAM row");
}

void check_cim(const Checker& check, const CimConfig& cim) {
  check.beat("cim.input_bytes_per_cycle", cim.input_bytes_per_cycle);
  check.beat("cim.output_bytes_per_cycle", cim.output_bytes_per_cycle);
  // One write beat fills one granule of a macro row.
  const int granule = write_granule(cim);
  if (cim.columns % granule != 0) {
    check.refuse("cim.columns", "a multiple of what one write cycle fills, " +
                                    check.named("cim.write_bytes_per_cycle"));
  }
  check.beat(granule == cim.columns ? "cim.columns" : "cim.write_bytes_per_cycle", granule);
}

void check_sinkhorn(const Checker& check, const SinkhornConfig& sinkhorn) {
  check.beat("sinkhorn.lanes", std::int64_t{4} * sinkhorn.lanes);
  check.at_least("sinkhorn.max_lines", sinkhorn.lanes, check.named("sinkhorn.lanes"));
  // Two chunks of lanes x lanes elements for matrices that stream through.
  check.multiple("sinkhorn.tile_elements", sinkhorn.tile_elements,
                 std::int64_t{2} * sinkhorn.lanes * sinkhorn.lanes,
                 "2 x sinkhorn.lanes x sinkhorn.lanes");
  check.at_most("sinkhorn.log_units", sinkhorn.lanes, check.named("sinkhorn.lanes"));
  check.beat("sinkhorn.value_columns", std::int64_t{4} * sinkhorn.value_columns);
}

void check_lanes(const Checker& check, const ChipValues& chip) {
  check.beat("softmax.lanes", std::int64_t{4} * chip.softmax.lanes);
  // Both take 8 bits per lane; results leave in 32.
  check.beat("damf.lanes", chip.damf.lanes);
  check.wide_beat("damf.lanes", std::int64_t{4} * chip.damf.lanes);
  check.beat("linear.lanes", chip.linear.lanes);
  check.wide_beat("linear.lanes", std::int64_t{4} * chip.linear.lanes);
  check.beat("vector.lanes", std::int64_t{4} * chip.vector.lanes);
}

// The smallest piece of work of the CIM must find room: a macro's weights, and a
// token's inputs with their sums.
void check_room(const Checker& check, const ChipValues& chip) {
  const std::int64_t macro = std::int64_t{chip.cim.rows} * chip.cim.columns;
  const std::int64_t token = chip.cim.rows + std::int64_t{4} * chip.cim.columns;
  if (chip.scratchpad.capacity_bytes < macro) {
    check.refuse(
        "scratchpad.capacity_kib",
        fmt::format("room for one macro's weights, cim.rows x cim.columns = {} bytes", macro));
  }
  if (chip.scratchpad.capacity_bytes < token) {
    check.refuse(
        "scratchpad.capacity_kib",
        fmt::format("room for one token of a macro, inputs and 32-bit sums = {} bytes", token));
  }
  if (chip.dram.capacity_bytes < macro) {
    check.refuse(
        "dram.capacity_mib",
        fmt::format("room for one macro's weights, cim.rows x cim.columns = {} bytes", macro));
  }
}

/// What a kind says in bytes stands where the chip's own keys would say it.
void take_figures(DramConfig& dram) {
  if ((dram.kind == kPlainDram) == dram.figures.has_value()) {
    throw InvariantError(
        fmt::format("a DRAM of kind {} {} figures", dram.kind, dram.figures ? "with" : "without"));
  }
  if (!dram.figures) return;
  dram.burst_bytes = static_cast<int>(dram.figures->burst_bytes());
  dram.row_bytes = static_cast<int>(dram.figures->row_bytes);
  dram.banks = static_cast<int>(dram.figures->banks);
}

}  // namespace

ChipConfig::ChipConfig() : ChipConfig(resolve(ChipValues{})) {}

ChipConfig ChipConfig::with(const std::function<void(ChipValues&)>& change,
                            const std::string& because) const {
  ChipValues changed = values_;
  change(changed);
  return resolve(std::move(changed), {}, source() + because);
}

ChipConfig resolve(ChipValues values, const Origins& origins, const std::string& source) {
  const std::string& begins = !source.empty()       ? source
                              : values.file.empty() ? values.name
                                                    : values.file;
  take_figures(values.dram);
  const Checker check(values, origins, begins);
  for (const ChipKey& key : chip_keys()) check.range(key);
  check_memories(check, values);
  check_cim(check, values.cim);
  check_sinkhorn(check, values.sinkhorn);
  check_lanes(check, values);
  check_room(check, values);
  return ChipConfig(std::move(values));
}

}  // namespace quadrille::hw
