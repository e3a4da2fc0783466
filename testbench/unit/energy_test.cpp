// Energy and area: counters times the technology table, recomputed by hand.
#include "hw/energy/energy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

Technology table() {
  std::vector<TechnologyRow> rows;
  double value = 1.0;
  // Every row another value, so that no two can be exchanged unnoticed.
  for (const std::string& name : required_technology_rows())
    rows.push_back({name, value += 1.0, "pJ", "test", 28, 0.9, "assumed"});
  return Technology("test", rows, {{8, 2, 4, 10}, {32, 8, 16, 40}});
}

ChipConfig chip(const std::function<void(ChipValues&)>& change = [](ChipValues&) {}) {
  ChipValues config;
  config.scratchpad.capacity_bytes = 16 * 32 * 1024;  // Banks of two 16 KiB sub-arrays.
  config.scratchpad.banks = 16;
  config.scratchpad.word_bytes = 32;
  config.cim = {64, 256, 64, 8, 8, 32, 32, 32, true};  // Ports and lanes that fit such words.
  config.softmax.lanes = 8;
  config.damf.lanes = config.linear.lanes = 32;
  config.sinkhorn = {8, 16384, 4096, 8, 8, true};
  config.vector.lanes = 8;
  config.sram_factor = 3.0;
  config.activity = 0.25;
  change(config);
  return resolve(config);
}

TEST(Technology, InterpolatesSramInLogLog) {
  const SramRow row = table().sram(16);
  EXPECT_NEAR(row.read_pj, 4.0, 1e-12);
  EXPECT_NEAR(row.write_pj, 8.0, 1e-12);
  EXPECT_NEAR(row.leakage_uw, 20.0, 1e-12);
  EXPECT_NEAR(table().sram(64).read_pj, 16.0, 1e-12) << "extended beyond the table";
}

TEST(Technology, RefusesATableWithAMissingRow) {
  std::vector<TechnologyRow> rows;
  for (const std::string& name : required_technology_rows())
    if (name != "op.shift_add") rows.push_back({name, 1.0, "pJ", "test", 28, 0.9, "assumed"});
  try {
    Technology("short.yaml", rows, {{8, 2, 4, 10}, {32, 8, 16, 40}});
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("op.shift_add"), std::string::npos);
  }
}

TEST(Energy, IsCountersTimesRows) {
  const Technology technology = table();
  Activity activity;
  activity.macs_static = 3;
  activity.macs_dynamic = 5;
  activity.macs_wasted = 7;
  activity.exponentials = 11;
  activity.compares = 13;
  activity.additions = 17;
  activity.reciprocals = 19;
  activity.shift_adds = 23;
  activity.leading_ones = 29;
  activity.multiplies = 31;
  activity.requantises = 37;
  Traffic traffic;
  traffic.sram_read = {100, 8, 10};
  traffic.sram_write = {60, 5, 6};
  traffic.dram_read_bytes = 128;
  traffic.dram_write_bytes = 64;
  traffic.dram_row_misses = 2;
  const auto energy = dynamic_energy_pj(chip(), technology, Unit::kDamf, activity, traffic);
  const auto row = [&](const char* name) { return technology.value(name); };
  EXPECT_DOUBLE_EQ(energy.at("damf"), 15 * row("op.mac8") + 11 * row("op.exponential") +
                                          13 * row("op.compare") + 17 * row("op.addition") +
                                          19 * row("op.reciprocal") + 23 * row("op.shift_add") +
                                          29 * row("op.leading_one") + 31 * row("op.multiply") +
                                          37 * row("op.requantise"));
  EXPECT_NEAR(energy.at("sram"), 3.0 * (10 * 4.0 + 6 * 8.0), 1e-9);
  EXPECT_DOUBLE_EQ(energy.at("dram_read"), 1024 * row("dram.read_bit"));
  EXPECT_DOUBLE_EQ(energy.at("dram_write"), 512 * row("dram.write_bit"));
  EXPECT_DOUBLE_EQ(energy.at("dram_activation"), 2 * row("dram.activation"));
  EXPECT_EQ(energy.count("dram_io"), 0U);  // Within the table's price of a bit.
  EXPECT_DOUBLE_EQ(dram_total(energy), 1024 * row("dram.read_bit") + 512 * row("dram.write_bit") +
                                           2 * row("dram.activation"));
  EXPECT_DOUBLE_EQ(energy.at("wires"), 8.0 * 160 * row("wire.bit_mm") * row("wire.length"));
}

TEST(Energy, WideProductsAndMemoriesOfTheEnginesHaveTheirPrices) {
  Activity activity;
  activity.macs_dynamic = 100;
  activity.macs_wide = 40;
  activity.local_read_bytes = 320;
  activity.local_write_bytes = 64;
  const Technology technology = table();
  const ChipConfig config = chip([](ChipValues& values) {
    values.sinkhorn.lanes = 8;
    values.sinkhorn.tile_elements = 8 * 16 * 512;  // Banks of 16 KiB.
  });
  const double macs = 60 * technology.value("op.mac8") + 40 * technology.value("op.mac_wide");
  const auto linear = dynamic_energy_pj(config, technology, Unit::kLinear, activity, Traffic{});
  EXPECT_DOUBLE_EQ(linear.at("linear"),
                   macs + 8.0 * (320 + 64) * technology.value("op.register_bit"));
  const auto sinkhorn = dynamic_energy_pj(config, technology, Unit::kSinkhorn, activity, Traffic{});
  EXPECT_NEAR(sinkhorn.at("sinkhorn"), macs + 3.0 * (20 * 4.0 + 4 * 8.0), 1e-9);
}

TEST(Energy, CimProductsScaleWithTheShareOfOnes) {
  Activity activity;
  activity.cim_bit_cycles = 1000;
  activity.cim_static_write_bits = 10;
  activity.cim_dynamic_write_bits = 20;
  activity.macs_static = 99;  // Priced by bit products, not again as MACs.
  const Technology technology = table();
  const auto energy = dynamic_energy_pj(chip(), technology, Unit::kCimCompute, activity, Traffic{});
  EXPECT_DOUBLE_EQ(energy.at("cim"), 1000 * technology.value("cim.bit_product") * 0.5);
  EXPECT_DOUBLE_EQ(energy.at("cim_write"), 30 * technology.value("cim.cell_write"));
  EXPECT_DOUBLE_EQ(total(energy), energy.at("cim") + energy.at("cim_write"));
}

// docs/engines/linear.md, storage and microarchitecture, of a small engine.
TEST(Energy, AreaOfTheLinearEngineIsItsDocumentations) {
  ChipConfig config = chip([](ChipValues& values) { values.linear = {4, 32, 8, 2}; });
  const Technology technology = table();
  const auto row = [&](const char* name) { return technology.value(name); };
  const double bits = 32 * 4 * (36 + 19)          // S and the chunk's share: 16 + log2 8.
                      + 32 * (28 + 11)            // z and its share: 8 + log2 8.
                      + 3 * 28 * 4                // Sums of V.
                      + 8 * 32 * (2 * 8 + 5)      // phi(K) of two chunks, phi(RP).
                      + 8 * 2 * (2 + 8 + 2) * 4;  // Ring of V rows.
  const double narrow = 4 * 4 + 8 * 4 + 5 * 4;    // Outer products, scores, weights.
  const double wide = 4 * 5 + 8 * 4 + 5 * 4;      // Readout with z, their products with V.
  EXPECT_DOUBLE_EQ(area_um2(config, technology).at("linear"),
                   bits * row("area.register_bit") + narrow * row("area.mac8") +
                       wide * row("area.mac_wide") + 32 * 5 * row("area.shift_add") +
                       3 * 256 * 8 * 4 * row("area.sram_bit") + 4 * row("area.requantise"));
  // A chunk that is no power of two takes the bits of the next one.
  config = config.with([](ChipValues& values) { values.linear.chunk_tokens = 7; });
  EXPECT_DOUBLE_EQ(area_um2(config, technology).at("linear"),
                   (bits - 8 * (2 * 32 + 2 * 4)) * row("area.register_bit") +
                       (narrow - 4) * row("area.mac8") + (wide - 4) * row("area.mac_wide") +
                       32 * 5 * row("area.shift_add") + 3 * 256 * 8 * 4 * row("area.sram_bit") +
                       4 * row("area.requantise"));
}

// docs/engines/sinkhorn.md: a rotator in front of the banks and one behind, both
// for the 32-bit words of held K.
TEST(Energy, RotatorsOfTheSinkhornUnitAreAsWideAsHeldWords) {
  ChipConfig config = chip([](ChipValues& values) {
    values.scratchpad.word_bytes = 128;
    values.sinkhorn.lanes = 32;
  });
  const Technology technology = table();
  const double skewed = area_um2(config, technology).at("sinkhorn");
  config = config.with([](ChipValues& values) { values.sinkhorn.skewed = false; });
  const double plain = area_um2(config, technology).at("sinkhorn");
  EXPECT_NEAR(skewed - plain, 10240 * technology.value("area.mux_bit"), 1e-6);
}

/// Two channels of a kind of which every price is another.
ChipConfig chip_of_a_kind() {
  return chip([](ChipValues& values) {
    DramKind kind;
    kind.name = values.dram.kind = "test";
    kind.width_bits = 16;
    kind.burst_length = 32;
    kind.data_rate_mtps = 6400;
    kind.banks = 8;
    kind.row_bytes = 2048;
    kind.activation_pj = 1000;
    kind.read_pj_per_bit = 3;
    kind.write_pj_per_bit = 2;
    kind.read_io_pj_per_bit = 0.5;
    kind.write_io_pj_per_bit = 0.25;
    kind.refresh_interval_ns = 4000;
    kind.refresh_pj = 30000;
    kind.standby_mw = 40;
    values.dram.figures = kind;
    values.dram.channels = 2;
    values.clock_hz = 1e9;
  });
}

TEST(Energy, AKindOfDramHasItsOwnPrices) {
  Traffic traffic;
  traffic.dram_read_bytes = 128;
  traffic.dram_write_bytes = 64;
  traffic.dram_row_misses = 3;
  const ByComponent energy =
      dynamic_energy_pj(chip_of_a_kind(), table(), Unit::kDma, Activity{}, traffic);
  EXPECT_DOUBLE_EQ(energy.at("dram_activation"), 3 * 1000.0);
  EXPECT_DOUBLE_EQ(energy.at("dram_read"), 1024 * 3.0);
  EXPECT_DOUBLE_EQ(energy.at("dram_write"), 512 * 2.0);
  EXPECT_DOUBLE_EQ(energy.at("dram_io"), 1024 * 0.5 + 512 * 0.25);
}

// 11 us are two intervals of 4 us and a part: two refreshes of each of two channels;
// 40 mW x 11 us = 440 nJ a channel.
TEST(Energy, ADramCostsStandbyAndRefreshesForAsLongAsItLasts) {
  const ByComponent energy = static_energy_pj(chip_of_a_kind(), table(), 11000);
  EXPECT_NEAR(energy.at("dram_standby"), 2 * 440000.0, 1e-3);
  EXPECT_NEAR(energy.at("dram_refresh"), 2 * 2 * 30000.0, 1e-6);
  EXPECT_EQ(static_energy_pj(chip(), table(), 11000).count("dram_standby"), 0U);
}

TEST(Energy, LeakageIsPowerTimesTime) {
  const ChipConfig config = chip([](ChipValues& values) { values.clock_hz = 1e9; });
  const auto energy = static_energy_pj(config, table(), 1000);  // One microsecond.
  EXPECT_NEAR(energy.at("sram"), 16 * 2 * 20.0, 1e-9);          // uW x us = pJ.
  const double logic_mm2 = area_um2(config, table()).at("vector") * 1e-6;
  EXPECT_NEAR(energy.at("vector"), logic_mm2 * table().value("leakage.logic"), 1e-12);
}

}  // namespace
}  // namespace quadrille::hw
