#include "hw/chip_keys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "hw/engines/beat_engine.h"
#include "hw/memory/traffic.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using Kind = ChipKey::Kind;
using V = ChipValues;

constexpr double kMany = 1 << 20;
constexpr double kMostLanes = Beat::kBytes / 4;  // Lanes of 32 bits in the widest beat.

/// The member that a path of member pointers leads to: at<&V::cim, &CimConfig::rows>(chip).
template <auto... Path, typename Chip>
auto& at(Chip& chip) {
  return (chip.*....*Path);
}

/// An integer whose member counts in units that are `Scale` times finer.
template <std::int64_t Scale, auto... Path>
ChipKey scaled(const char* name, const char* unit, double least, double most, const char* meaning) {
  using Member = std::decay_t<decltype(at<Path...>(std::declval<V&>()))>;
  ChipKey key;
  key.name = name;
  key.unit = unit;
  key.least = least;
  key.most = most;
  key.meaning = meaning;
  key.get = [](const V& chip) {
    return ChipKeyValue(static_cast<std::int64_t>(at<Path...>(chip)) / Scale);
  };
  key.set = [](V& chip, const ChipKeyValue& value) {
    at<Path...>(chip) = static_cast<Member>(std::get<std::int64_t>(value) * Scale);
  };
  key.whole = [](const V& chip) { return at<Path...>(chip) % Scale == 0; };
  return key;
}

template <auto... Path>
ChipKey integer(const char* name, const char* unit, double least, double most,
                const char* meaning) {
  return scaled<1, Path...>(name, unit, least, most, meaning);
}

template <auto... Path>
ChipKey power_of_two(const char* name, const char* unit, double least, double most,
                     const char* meaning) {
  ChipKey key = integer<Path...>(name, unit, least, most, meaning);
  key.power_of_two = true;
  return key;
}

template <std::int64_t Scale, auto... Path>
ChipKey real(const char* name, const char* unit, double least, double most, const char* meaning) {
  ChipKey key;
  key.name = name;
  key.unit = unit;
  key.kind = Kind::kReal;
  key.least = least;
  key.most = most;
  key.meaning = meaning;
  key.get = [](const V& chip) { return ChipKeyValue(at<Path...>(chip) / double{Scale}); };
  key.set = [](V& chip, const ChipKeyValue& value) {
    at<Path...>(chip) = std::get<double>(value) * double{Scale};
  };
  return key;
}

template <auto... Path>
ChipKey boolean(const char* name, const char* meaning) {
  ChipKey key;
  key.name = name;
  key.kind = Kind::kBoolean;
  key.meaning = meaning;
  key.get = [](const V& chip) { return ChipKeyValue(at<Path...>(chip)); };
  key.set = [](V& chip, const ChipKeyValue& value) { at<Path...>(chip) = std::get<bool>(value); };
  return key;
}

template <auto... Path>
ChipKey text(const char* name, const char* meaning) {
  ChipKey key;
  key.name = name;
  key.kind = Kind::kText;
  key.meaning = meaning;
  key.get = [](const V& chip) { return ChipKeyValue(at<Path...>(chip)); };
  key.set = [](V& chip, const ChipKeyValue& value) {
    at<Path...>(chip) = std::get<std::string>(value);
  };
  return key;
}

ChipKey timing(const char* name, const char* meaning) {
  ChipKey key;
  key.name = name;
  key.kind = Kind::kWord;
  key.words = {"tile", "beat"};
  key.meaning = meaning;
  key.get = [](const V& chip) {
    return ChipKeyValue(std::string(chip.timing == Timing::kTile ? "tile" : "beat"));
  };
  key.set = [](V& chip, const ChipKeyValue& value) {
    chip.timing = std::get<std::string>(value) == "tile" ? Timing::kTile : Timing::kBeat;
  };
  return key;
}

ChipKey required(ChipKey key) {
  key.required = true;
  return key;
}

std::vector<ChipKey> head_keys() {
  return {
      required(text<&V::name>("name", "what reports call the chip")),
      required(real<1'000'000, &V::clock_hz>("clock_mhz", "MHz", 1, 10'000, "clock of all units")),
      text<&V::technology>("technology", "a shipped table, or a file beside the chip file"),
      timing("timing",
             "`tile` (a command is one closed form) or `beat` (memory arbitrated cycle by cycle)"),
  };
}

std::vector<ChipKey> cim_keys() {
  using C = CimConfig;
  return {
      integer<&V::cim, &C::macros>("cim.macros", "", 1, 1 << 16, "arrays of cells"),
      integer<&V::cim, &C::rows>("cim.rows", "", 1, 1 << 16, "products that a sum adds at once"),
      integer<&V::cim, &C::columns>("cim.columns", "", 1, 1 << 16, "sums of a macro"),
      integer<&V::cim, &C::weight_bits>("cim.weight_bits", "bits", 1, 8,
                                        "widest weight that a cell row holds"),
      integer<&V::cim, &C::input_bits>("cim.input_bits", "bits", 1, 8,
                                       "widest input; a bit takes a cycle"),
      power_of_two<&V::cim, &C::input_bytes_per_cycle>("cim.input_bytes_per_cycle", "bytes", 4,
                                                       Beat::kBytes, "port of the inputs"),
      power_of_two<&V::cim, &C::output_bytes_per_cycle>(
          "cim.output_bytes_per_cycle", "bytes", 4, Beat::kBytes,
          "port of 32-bit sums; beats of narrower results have as many"),
      integer<&V::cim, &C::write_bytes_per_cycle>("cim.write_bytes_per_cycle", "bytes", 1,
                                                  Beat::kBytes,
                                                  "port of the weights: a macro row or a part"),
      boolean<&V::cim, &C::write_while_compute>("cim.write_while_compute",
                                                "other macros may be written meanwhile"),
  };
}

std::vector<ChipKey> attention_keys() {
  return {
      power_of_two<&V::softmax, &SoftmaxConfig::lanes>("softmax.lanes", "", 1, kMostLanes,
                                                       "scores per cycle"),
      integer<&V::softmax, &SoftmaxConfig::max_keys>("softmax.max_keys", "", 1, kMany,
                                                     "longest row of scores"),
      power_of_two<&V::damf, &DamfConfig::lanes>("damf.lanes", "", 1, kMostLanes,
                                                 "8-bit elements per beat"),
      integer<&V::damf, &DamfConfig::query_rows>("damf.query_rows", "", 1, 1024,
                                                 "queries that share a beat of V"),
      integer<&V::damf, &DamfConfig::max_tokens>("damf.max_tokens", "", 1, kMany,
                                                 "entries of the buffer of s and t"),
      integer<&V::damf, &DamfConfig::max_model_width>("damf.max_model_width", "", 1, kMany,
                                                      "elements of the buffers of u and v"),
  };
}

std::vector<ChipKey> sinkhorn_keys() {
  using C = SinkhornConfig;
  return {
      power_of_two<&V::sinkhorn, &C::lanes>("sinkhorn.lanes", "", 1, kMostLanes,
                                            "lines summed side by side, banks of the tile memory"),
      integer<&V::sinkhorn, &C::tile_elements>(
          "sinkhorn.tile_elements", "", 2, kMany,
          "16-bit logits in the tile memory, half as many of held K; larger matrices are read anew "
          "for every sweep"),
      integer<&V::sinkhorn, &C::max_lines>("sinkhorn.max_lines", "", 1, kSinkhornMostLines,
                                           "most rows, and most columns"),
      integer<&V::sinkhorn, &C::log_units>("sinkhorn.log_units", "", 1, kMostLanes,
                                           "sums turned into scalings per cycle"),
      power_of_two<&V::sinkhorn, &C::value_columns>("sinkhorn.value_columns", "", 1, kMostLanes,
                                                    "columns of V per sweep"),
      boolean<&V::sinkhorn, &C::skewed>(
          "sinkhorn.skewed",
          "rows and columns alike without bank conflicts; false: row sweeps take `lanes` cycles a "
          "step"),
  };
}

std::vector<ChipKey> linear_and_vector_keys() {
  using C = LinearConfig;
  return {
      power_of_two<&V::linear, &C::lanes>("linear.lanes", "", 2, kMostLanes,
                                          "elements per beat, columns of V, columns of the state"),
      integer<&V::linear, &C::max_width>("linear.max_width", "", 2, 4096, "widest head"),
      integer<&V::linear, &C::chunk_tokens>("linear.chunk_tokens", "", 1, 256,
                                            "tokens merged into the state at once"),
      integer<&V::linear, &C::max_horizon>("linear.max_horizon", "", 0, 1024,
                                           "farthest relative position"),
      power_of_two<&V::vector, &VectorConfig::lanes>("vector.lanes", "", 1, kMostLanes,
                                                     "elements per cycle"),
  };
}

std::vector<ChipKey> scratchpad_keys() {
  using C = ScratchpadConfig;
  return {
      scaled<1024, &V::scratchpad, &C::capacity_bytes>("scratchpad.capacity_kib", "KiB", 1, 1 << 24,
                                                       "all banks together"),
      integer<&V::scratchpad, &C::banks>("scratchpad.banks", "", 1, 4096,
                                         "each serves one word per cycle"),
      power_of_two<&V::scratchpad, &C::word_bytes>("scratchpad.word_bytes", "bytes", kSliceBytes,
                                                   Beat::kBytes, "width of a bank"),
      integer<&V::scratchpad, &C::read_latency_cycles>("scratchpad.read_latency_cycles", "cycles",
                                                       1, 64, "from grant to data"),
      integer<&V::scratchpad, &C::reader_fifo_words>("scratchpad.reader_fifo_words", "words", 2,
                                                     1024, "per stream from a bank to an engine"),
      integer<&V::scratchpad, &C::writer_fifo_words>("scratchpad.writer_fifo_words", "words", 2,
                                                     1024, "per stream from an engine to a bank"),
  };
}

std::vector<ChipKey> dram_keys() {
  using C = DramConfig;
  return {
      scaled<1 << 20, &V::dram, &C::capacity_bytes>("dram.capacity_mib", "MiB", 1, kMany,
                                                    "all channels together"),
      text<&V::dram, &C::kind>("dram.kind",
                               "a shipped kind, or a file beside the chip file; `plain`: what the "
                               "other keys say, without refresh, turn-around and standby"),
      integer<&V::dram, &C::channels>("dram.channels", "", 1, 64,
                                      "consecutive bursts lie in consecutive channels"),
  };
}

std::vector<ChipKey> plain_dram_keys() {
  using C = DramConfig;
  std::vector<ChipKey> keys = {
      power_of_two<&V::dram, &C::burst_bytes>("dram.burst_bytes", "bytes", kSliceBytes, 4096,
                                              "the least that is read or written"),
      integer<&V::dram, &C::burst_cycles>("dram.burst_cycles", "cycles", 1, 4096,
                                          "of the chip, per burst on a channel's data bus"),
      integer<&V::dram, &C::row_bytes>("dram.row_bytes", "bytes", kSliceBytes, kMany,
                                       "a row is open in each bank"),
      integer<&V::dram, &C::banks>("dram.banks", "", 1, 4096,
                                   "of a channel; consecutive rows lie in consecutive banks"),
      integer<&V::dram, &C::row_hit_latency_cycles>("dram.row_hit_latency_cycles", "cycles", 1,
                                                    kMany, "column access to first data"),
      integer<&V::dram, &C::row_miss_latency_cycles>("dram.row_miss_latency_cycles", "cycles", 0,
                                                     kMany,
                                                     "precharge and activate; a miss pays "
                                                     "both"),
  };
  for (ChipKey& key : keys) key.plain_dram = true;
  return keys;
}

std::vector<ChipKey> dma_keys() {
  return {
      integer<&V::dma, &DmaConfig::outstanding_bursts>("dma.outstanding_bursts", "", 1, 4096,
                                                       "bursts in flight"),
  };
}

std::vector<ChipKey> energy_keys() {
  return {
      real<1, &V::activity>("energy.input_ones_share", "", 0, 1,
                            "ones among the CIM's serial input bits"),
      real<1, &V::sram_factor>("energy.sram_factor", "", 1, 4, "compiled SRAM over CACTI"),
  };
}

std::vector<ChipKey> all_keys() {
  std::vector<ChipKey> all;
  for (auto* part : {head_keys, cim_keys, attention_keys, sinkhorn_keys, linear_and_vector_keys,
                     scratchpad_keys, dram_keys, plain_dram_keys, dma_keys, energy_keys}) {
    for (ChipKey& key : part()) all.push_back(std::move(key));
  }
  return all;
}

}  // namespace

std::string ChipKey::section() const {
  const std::size_t dot = name.find('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

std::string ChipKey::leaf() const {
  const std::size_t dot = name.find('.');
  return dot == std::string::npos ? name : name.substr(dot + 1);
}

std::string ChipKey::range() const {
  switch (kind) {
    case Kind::kBoolean:
      return "true or false";
    case Kind::kWord:
      return fmt::format("{}", fmt::join(words, " or "));
    case Kind::kText:
      return "text";
    case Kind::kInteger:
    case Kind::kReal:
      break;
  }
  const std::string interval = fmt::format("{:.12g}..{:.12g}", least, most);
  return power_of_two ? "a power of two in " + interval : interval;
}

bool ChipKey::allows(const ChipValues& chip) const {
  const ChipKeyValue value = get(chip);
  if (const auto* word = std::get_if<std::string>(&value)) {
    return kind == Kind::kWord ? std::find(words.begin(), words.end(), *word) != words.end()
                               : !word->empty();
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return std::isfinite(*real) && *real >= least && *real <= most;
  }
  const auto* integer = std::get_if<std::int64_t>(&value);
  if (integer == nullptr) return true;
  if (whole != nullptr && !whole(chip)) return false;
  const auto number = static_cast<double>(*integer);
  if (number < least || number > most) return false;
  return !power_of_two || (*integer & (*integer - 1)) == 0;
}

std::string ChipKey::text(const ChipValues& chip) const {
  const ChipKeyValue value = get(chip);
  if (const auto* word = std::get_if<std::string>(&value)) return *word;
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.12g}", *real);
  if (const auto* yes = std::get_if<bool>(&value)) return *yes ? "true" : "false";
  const std::string number = std::to_string(std::get<std::int64_t>(value));
  return whole == nullptr || whole(chip) ? number : number + " and a fraction";
}

const std::vector<ChipKey>& chip_keys() {
  static const std::vector<ChipKey> keys = all_keys();
  return keys;
}

const ChipKey& chip_key(std::string_view name) {
  for (const ChipKey& key : chip_keys()) {
    if (key.name == name) return key;
  }
  throw InvariantError(fmt::format("no chip key {}", name));
}

const std::vector<RemovedChipKey>& removed_chip_keys() {
  static const std::vector<RemovedChipKey> removed = {};
  return removed;
}

std::string chip_keys_markdown() {
  const ChipValues defaults;
  std::string table =
      "| key | unit | default | allowed | meaning |\n"
      "|---|---|---|---|---|\n";
  for (const ChipKey& key : chip_keys()) {
    table += fmt::format("| `{}` | {} | {} | {} | {} |\n", key.name, key.unit,
                         key.required ? "required" : key.text(defaults), key.range(), key.meaning);
  }
  return table;
}

}  // namespace quadrille::hw
