// Is a chip immutable, checked once and as a whole, and refused by the name of the
// key at fault?
#include "hw/chip_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <type_traits>

#include "hw/chip_keys.h"
#include "model/errors.h"
#include "testbench/common/published_page.h"

namespace quadrille::hw {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Fault {
  const char* key;
  std::function<void(ChipValues&)> make;
};

const ChipConfig kDefault;

static_assert(!std::is_assignable_v<decltype((kDefault.cim)), CimConfig>);
static_assert(!std::is_assignable_v<decltype((std::declval<ChipConfig&>().cim.rows)), int>);
static_assert(!std::is_assignable_v<decltype((std::declval<ChipConfig&>().clock_hz)), double>);
static_assert(!std::is_constructible_v<ChipConfig, ChipValues>, "resolve() makes chips");

TEST(ChipConfig, FaultsNameSourceKeyAndExpectation) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Fault> faults{
      {"name", [](ChipValues& c) { c.name.clear(); }},
      {"clock_mhz", [](ChipValues& c) { c.clock_hz = 0; }},
      {"clock_mhz", [](ChipValues& c) { c.clock_hz = -1; }},
      {"clock_mhz", [=](ChipValues& c) { c.clock_hz = nan; }},
      {"scratchpad.banks", [](ChipValues& c) { c.scratchpad.banks = 0; }},
      {"scratchpad.word_bytes", [](ChipValues& c) { c.scratchpad.word_bytes = 96; }},
      {"scratchpad.word_bytes", [](ChipValues& c) { c.scratchpad.word_bytes = 512; }},
      {"scratchpad.word_bytes", [](ChipValues& c) { c.scratchpad.word_bytes = -128; }},
      {"scratchpad.capacity_kib", [](ChipValues& c) { c.scratchpad.capacity_bytes = 0; }},
      {"scratchpad.capacity_kib", [](ChipValues& c) { c.scratchpad.capacity_bytes = 65537; }},
      {"scratchpad.capacity_kib", [](ChipValues& c) { c.scratchpad.capacity_bytes = 12288; }},
      {"scratchpad.capacity_kib", [](ChipValues& c) { c.scratchpad.capacity_bytes = 8192; }},
      {"scratchpad.read_latency_cycles",
       [](ChipValues& c) { c.scratchpad.read_latency_cycles = 0; }},
      {"scratchpad.reader_fifo_words", [](ChipValues& c) { c.scratchpad.reader_fifo_words = 2; }},
      {"scratchpad.writer_fifo_words", [](ChipValues& c) { c.scratchpad.writer_fifo_words = 1; }},
      {"dram.capacity_mib", [](ChipValues& c) { c.dram.capacity_bytes = -1; }},
      {"dram.capacity_mib", [](ChipValues& c) { c.dram.capacity_bytes = 2048; }},
      {"dram.channels", [](ChipValues& c) { c.dram.channels = 0; }},
      {"dram.burst_bytes", [](ChipValues& c) { c.dram.burst_bytes = 48; }},
      {"dram.burst_cycles", [](ChipValues& c) { c.dram.burst_cycles = 0; }},
      {"dram.row_bytes", [](ChipValues& c) { c.dram.row_bytes = 100; }},
      {"dram.banks", [](ChipValues& c) { c.dram.banks = 0; }},
      {"dram.row_hit_latency_cycles", [](ChipValues& c) { c.dram.row_hit_latency_cycles = -3; }},
      {"dram.row_miss_latency_cycles", [](ChipValues& c) { c.dram.row_miss_latency_cycles = -3; }},
      {"dma.outstanding_bursts", [](ChipValues& c) { c.dma.outstanding_bursts = 0; }},
      {"cim.macros", [](ChipValues& c) { c.cim.macros = 0; }},
      {"cim.rows", [](ChipValues& c) { c.cim.rows = -1; }},
      {"cim.columns", [](ChipValues& c) { c.cim.columns = 0; }},
      {"cim.columns", [](ChipValues& c) { c.cim.columns = 96; }},
      {"cim.columns", [](ChipValues& c) { c.cim.columns = 48; }},
      {"cim.weight_bits", [](ChipValues& c) { c.cim.weight_bits = 9; }},
      {"cim.input_bits", [](ChipValues& c) { c.cim.input_bits = 0; }},
      {"cim.input_bytes_per_cycle", [](ChipValues& c) { c.cim.input_bytes_per_cycle = 256; }},
      {"cim.input_bytes_per_cycle", [](ChipValues& c) { c.cim.input_bytes_per_cycle = 96; }},
      {"cim.output_bytes_per_cycle", [](ChipValues& c) { c.cim.output_bytes_per_cycle = 2; }},
      {"cim.write_bytes_per_cycle", [](ChipValues& c) { c.cim.write_bytes_per_cycle = 0; }},
      {"cim.write_bytes_per_cycle",
       [](ChipValues& c) {
         c.cim.columns = 96;
         c.cim.write_bytes_per_cycle = 48;
       }},
      {"softmax.lanes", [](ChipValues& c) { c.softmax.lanes = 24; }},
      {"softmax.lanes", [](ChipValues& c) { c.softmax.lanes = 64; }},
      {"softmax.max_keys", [](ChipValues& c) { c.softmax.max_keys = 0; }},
      {"damf.lanes", [](ChipValues& c) { c.damf.lanes = 48; }},
      {"damf.lanes", [](ChipValues& c) { c.damf.lanes = 128; }},
      {"damf.lanes", [](ChipValues& c) { c.scratchpad.banks = 1; }},
      {"damf.query_rows", [](ChipValues& c) { c.damf.query_rows = 0; }},
      {"damf.max_tokens", [](ChipValues& c) { c.damf.max_tokens = 0; }},
      {"damf.max_model_width", [](ChipValues& c) { c.damf.max_model_width = -7; }},
      {"sinkhorn.lanes", [](ChipValues& c) { c.sinkhorn.lanes = 64; }},
      {"sinkhorn.tile_elements", [](ChipValues& c) { c.sinkhorn.tile_elements = 1024; }},
      {"sinkhorn.max_lines", [](ChipValues& c) { c.sinkhorn.max_lines = 31; }},
      {"sinkhorn.log_units", [](ChipValues& c) { c.sinkhorn.log_units = 33; }},
      {"sinkhorn.value_columns", [](ChipValues& c) { c.sinkhorn.value_columns = 64; }},
      {"linear.lanes", [](ChipValues& c) { c.linear.lanes = 1; }},
      {"linear.max_width", [](ChipValues& c) { c.linear.max_width = 4097; }},
      {"linear.chunk_tokens", [](ChipValues& c) { c.linear.chunk_tokens = 0; }},
      {"linear.max_horizon", [](ChipValues& c) { c.linear.max_horizon = -1; }},
      {"vector.lanes", [](ChipValues& c) { c.vector.lanes = 0; }},
      {"energy.input_ones_share", [](ChipValues& c) { c.activity = 1.5; }},
      {"energy.input_ones_share", [](ChipValues& c) { c.activity = -0.1; }},
      {"energy.sram_factor", [](ChipValues& c) { c.sram_factor = 0.5; }},
      {"energy.sram_factor", [](ChipValues& c) { c.sram_factor = 5; }},
      {"technology", [](ChipValues& c) { c.technology.clear(); }},
  };
  std::set<std::string> refused;
  for (const Fault& fault : faults) {
    ChipValues values;
    values.file = "chips/wrong.yaml";
    fault.make(values);
    refused.insert(fault.key);
    try {
      resolve(values);
      ADD_FAILURE() << "accepted a wrong " << fault.key;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(),
                  StartsWith(std::string("chips/wrong.yaml: ") + fault.key + ": expected "));
      EXPECT_THAT(error.what(), HasSubstr(", found " + chip_key(fault.key).text(values)));
    }
  }
  for (const ChipKey& key : chip_keys()) {
    if (key.kind != ChipKey::Kind::kInteger && key.kind != ChipKey::Kind::kReal) continue;
    EXPECT_EQ(refused.count(key.name), 1U) << "no fault of " << key.name;
  }
}

// With the places of the keys: a fault stands where its key was written, and what
// the other key of the relation is comes with the option that says so.
TEST(ChipConfig, FaultsStandWhereTheKeyWasWritten) {
  const auto refusal = [](ChipValues values, const std::map<std::string, KeyOrigin>& origins) {
    values.file = "mine.yaml";
    try {
      resolve(values, origins);
      return std::string("accepted");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
  };
  ChipValues values;
  values.cim.columns = 96;
  EXPECT_EQ(refusal(values, {{"cim.columns", {"base.yaml", "line 7:3"}},
                             {"cim.write_bytes_per_cycle", {"mine.yaml", "line 9:1"}}}),
            "base.yaml: line 7:3, cim.columns: expected a multiple of what one write cycle fills, "
            "cim.write_bytes_per_cycle = 64, found 96");
  EXPECT_EQ(
      refusal(values, {{"cim.write_bytes_per_cycle", {"--set cim.write_bytes_per_cycle=64", ""}},
                       {"cim.columns", {"--set cim.columns=96", ""}}}),
      "--set cim.columns=96: cim.columns: expected a multiple of what one write cycle fills, "
      "cim.write_bytes_per_cycle = 64 (--set cim.write_bytes_per_cycle=64), found 96");
  values = {};
  values.scratchpad.banks = 63;
  EXPECT_EQ(refusal(values, {{"scratchpad.banks", {"mine.yaml", "line 2:2"}}}),
            "mine.yaml: scratchpad.capacity_kib: expected a multiple of scratchpad.banks x "
            "scratchpad.word_bytes = 8064 bytes, found 4096, the default");
}

TEST(ChipConfig, FieldsAreOfTheChipItself) {
  auto first = std::make_unique<ChipConfig>(kDefault.with([](ChipValues& c) { c.cim.rows = 8; }));
  const ChipConfig copy = *first;
  ChipConfig assigned;
  assigned = *first;
  first.reset();
  for (const ChipConfig* chip : {&copy, const_cast<const ChipConfig*>(&assigned)}) {
    const ChipValues& values = chip->values();
    EXPECT_EQ(chip->cim.rows, 8);
    EXPECT_EQ(&chip->name, &values.name);
    EXPECT_EQ(&chip->clock_hz, &values.clock_hz);
    EXPECT_EQ(&chip->timing, &values.timing);
    EXPECT_EQ(&chip->technology, &values.technology);
    EXPECT_EQ(&chip->cim, &values.cim);
    EXPECT_EQ(&chip->softmax, &values.softmax);
    EXPECT_EQ(&chip->damf, &values.damf);
    EXPECT_EQ(&chip->sinkhorn, &values.sinkhorn);
    EXPECT_EQ(&chip->linear, &values.linear);
    EXPECT_EQ(&chip->vector, &values.vector);
    EXPECT_EQ(&chip->scratchpad, &values.scratchpad);
    EXPECT_EQ(&chip->dram, &values.dram);
    EXPECT_EQ(&chip->dma, &values.dma);
    EXPECT_EQ(&chip->activity, &values.activity);
    EXPECT_EQ(&chip->sram_factor, &values.sram_factor);
    EXPECT_EQ(&chip->file, &values.file);
  }
}

TEST(ChipConfig, AChangeMakesAnotherChipAndChecksIt) {
  const ChipConfig wide = kDefault.with([](ChipValues& c) { c.vector.lanes = 16; });
  EXPECT_EQ(wide.vector.lanes, 16);
  EXPECT_EQ(kDefault.vector.lanes, 32);
  try {
    kDefault.with([](ChipValues& c) { c.vector.lanes = 64; }, " with more lanes");
    ADD_FAILURE() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), StartsWith("chip with more lanes: vector.lanes: expected "));
  }
}

/// A value of the key that is allowed and not the default.
ChipKeyValue another_value(const ChipKey& key) {
  const ChipKeyValue standard = key.get(ChipValues{});
  if (const auto* number = std::get_if<std::int64_t>(&standard)) {
    const auto least = static_cast<std::int64_t>(key.least);
    return *number == least ? std::int64_t{2} * least : least;
  }
  if (std::holds_alternative<double>(standard)) return key.least == 0.0 ? 0.25 : key.least;
  if (const auto* yes = std::get_if<bool>(&standard)) return !*yes;
  return key.kind == ChipKey::Kind::kWord ? key.words.back() : std::string("other");
}

TEST(ChipKeys, EachSetsItsOwnMemberAndNoOther) {
  std::set<std::string> names;
  for (const ChipKey& key : chip_keys()) {
    SCOPED_TRACE(key.name);
    EXPECT_TRUE(names.insert(key.name).second) << "twice in the table";
    EXPECT_FALSE(key.meaning.empty());
    const ChipValues standard;
    EXPECT_TRUE(key.allows(standard));
    ChipValues changed;
    key.set(changed, another_value(key));
    EXPECT_TRUE(key.allows(changed)) << key.text(changed);
    EXPECT_EQ(key.get(changed), another_value(key));
    for (const ChipKey& other : chip_keys())
      EXPECT_EQ(other.text(changed) != other.text(standard), other.name == key.name) << other.name;
  }
  EXPECT_THROW(chip_key("cim.rwos"), InvariantError);
}

TEST(ChipKeys, TheirTableIsPublished) {
  testbench::expect_published_part("files.md", "chip keys", chip_keys_markdown());
}

}  // namespace
}  // namespace quadrille::hw
