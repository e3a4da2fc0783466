// Impossible chips are refused by the name of the field at fault.
#include "hw/chip_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

using testing::HasSubstr;

struct Fault {
  const char* field;
  std::function<void(ChipConfig&)> make;
};

TEST(ChipConfig, TheDefaultChipIsPossible) {
  EXPECT_NO_THROW(validate(ChipConfig{}, "chips/default.yaml"));
}

TEST(ChipConfig, FaultsNameFileFieldAndExpectation) {
  const std::vector<Fault> faults{
      {"clock_hz", [](ChipConfig& c) { c.clock_hz = 0; }},
      {"clock_hz", [](ChipConfig& c) { c.clock_hz = -1; }},
      {"clock_hz", [](ChipConfig& c) { c.clock_hz = std::numeric_limits<double>::quiet_NaN(); }},
      {"scratchpad.banks", [](ChipConfig& c) { c.scratchpad.banks = 0; }},
      {"scratchpad.word_bytes", [](ChipConfig& c) { c.scratchpad.word_bytes = 96; }},
      {"scratchpad.word_bytes", [](ChipConfig& c) { c.scratchpad.word_bytes = 512; }},
      {"scratchpad.word_bytes", [](ChipConfig& c) { c.scratchpad.word_bytes = -128; }},
      {"scratchpad.capacity_bytes", [](ChipConfig& c) { c.scratchpad.capacity_bytes = 0; }},
      {"scratchpad.capacity_bytes", [](ChipConfig& c) { c.scratchpad.capacity_bytes = 2049; }},
      {"scratchpad.capacity_bytes", [](ChipConfig& c) { c.scratchpad.capacity_bytes = 8192; }},
      {"scratchpad.read_latency_cycles",
       [](ChipConfig& c) { c.scratchpad.read_latency_cycles = 0; }},
      {"scratchpad.reader_fifo_words", [](ChipConfig& c) { c.scratchpad.reader_fifo_words = 2; }},
      {"scratchpad.writer_fifo_words", [](ChipConfig& c) { c.scratchpad.writer_fifo_words = 1; }},
      {"dram.capacity_bytes", [](ChipConfig& c) { c.dram.capacity_bytes = -1; }},
      {"dram.capacity_bytes", [](ChipConfig& c) { c.dram.capacity_bytes = 2048; }},
      {"dram.burst_bytes", [](ChipConfig& c) { c.dram.burst_bytes = 48; }},
      {"dram.burst_cycles", [](ChipConfig& c) { c.dram.burst_cycles = 0; }},
      {"dram.row_bytes", [](ChipConfig& c) { c.dram.row_bytes = 100; }},
      {"dram.banks", [](ChipConfig& c) { c.dram.banks = 0; }},
      {"dram.row_hit_latency_cycles", [](ChipConfig& c) { c.dram.row_hit_latency_cycles = -3; }},
      {"dram.row_miss_latency_cycles", [](ChipConfig& c) { c.dram.row_miss_latency_cycles = -3; }},
      {"dma.outstanding_bursts", [](ChipConfig& c) { c.dma.outstanding_bursts = 0; }},
      {"cim.macros", [](ChipConfig& c) { c.cim.macros = 0; }},
      {"cim.rows", [](ChipConfig& c) { c.cim.rows = -1; }},
      {"cim.columns", [](ChipConfig& c) { c.cim.columns = 0; }},
      {"cim.columns", [](ChipConfig& c) { c.cim.columns = 96; }},
      {"cim.weight_bits", [](ChipConfig& c) { c.cim.weight_bits = 9; }},
      {"cim.input_bits", [](ChipConfig& c) { c.cim.input_bits = 0; }},
      {"cim.input_bytes_per_cycle", [](ChipConfig& c) { c.cim.input_bytes_per_cycle = 256; }},
      {"cim.input_bytes_per_cycle", [](ChipConfig& c) { c.cim.input_bytes_per_cycle = 96; }},
      {"cim.output_bytes_per_cycle", [](ChipConfig& c) { c.cim.output_bytes_per_cycle = 2; }},
      {"cim.write_bytes_per_cycle", [](ChipConfig& c) { c.cim.write_bytes_per_cycle = 0; }},
      {"softmax.lanes", [](ChipConfig& c) { c.softmax.lanes = 24; }},
      {"softmax.lanes", [](ChipConfig& c) { c.softmax.lanes = 128; }},
      {"softmax.max_keys", [](ChipConfig& c) { c.softmax.max_keys = 0; }},
      {"damf.lanes", [](ChipConfig& c) { c.damf.lanes = 48; }},
      {"damf.lanes", [](ChipConfig& c) { c.damf.lanes = 128; }},
      {"damf.query_rows", [](ChipConfig& c) { c.damf.query_rows = 0; }},
      {"damf.max_tokens", [](ChipConfig& c) { c.damf.max_tokens = 0; }},
      {"damf.max_model_width", [](ChipConfig& c) { c.damf.max_model_width = -7; }},
      {"vector.lanes", [](ChipConfig& c) { c.vector.lanes = 0; }},
      {"activity", [](ChipConfig& c) { c.activity = 1.5; }},
      {"activity", [](ChipConfig& c) { c.activity = -0.1; }},
      {"sram_factor", [](ChipConfig& c) { c.sram_factor = 0.5; }},
      {"sram_factor", [](ChipConfig& c) { c.sram_factor = 5; }},
      {"technology", [](ChipConfig& c) { c.technology.clear(); }},
  };
  for (const Fault& fault : faults) {
    ChipConfig config;
    fault.make(config);
    try {
      validate(config, "chips/wrong.yaml");
      ADD_FAILURE() << "accepted a wrong " << fault.field;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(),
                  HasSubstr(std::string("chips/wrong.yaml: ") + fault.field + ": expected"));
    }
  }
}

}  // namespace
}  // namespace quadrille::hw
