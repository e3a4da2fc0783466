// The whole chip on small programs and on layers: values, cycles, counters.
#include "hw/chip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "hw/counters/conservation.h"
#include "hw/simulation_context.h"
#include "model/errors.h"
#include "testbench/common/layer_program.h"

namespace quadrille::hw {
namespace {

using testing::HasSubstr;

// The default chip with engines of a few lanes.
ChipConfig small_chip() {
  ChipValues config;
  config.name = "small";
  config.cim.macros = 64;
  config.cim.rows = 64;
  config.cim.columns = 16;
  config.cim.input_bytes_per_cycle = 16;
  config.cim.output_bytes_per_cycle = 16;
  config.cim.write_bytes_per_cycle = 16;
  config.softmax.lanes = 4;
  config.damf.lanes = 8;
  config.damf.query_rows = 4;
  config.damf.max_tokens = 512;
  config.damf.max_model_width = 256;
  config.sinkhorn = {8, 1024, 512, 2, 4, true};
  config.linear = {8, 32, 4, 4};
  config.vector.lanes = 4;
  config.scratchpad.banks = 8;
  config.scratchpad.word_bytes = 32;
  config.scratchpad.capacity_bytes = 256 << 10;
  config.dram.capacity_bytes = 16 << 20;
  return resolve(config);
}

DmaCopy copy_of(bool to_scratchpad, std::uint64_t dram, std::uint64_t scratchpad, std::int64_t rows,
                std::int64_t row_bytes, std::int64_t pitch) {
  DmaCopy copy;
  copy.to_scratchpad = to_scratchpad;
  copy.dram_address = dram;
  copy.dram_pitch_bytes = pitch;
  copy.scratchpad_address = scratchpad;
  copy.scratchpad_pitch_bytes = row_bytes;
  copy.rows = rows;
  copy.row_bytes = row_bytes;
  return copy;
}

ChipResult run_layer(const ChipConfig& config, const Mapping& mapping, const ChipOptions& options,
                     std::vector<std::uint8_t>* out = nullptr) {
  SimulationContext context;
  Chip chip("chip", config, options);
  chip.load(mapping.program,
            [&](const Bytes& dram) { testing_layers::write_inputs(mapping, dram); });
  ChipResult result = chip.run();
  if (out != nullptr) {
    *out = read_tensor(chip.dram(), mapping.tensor("out"));
  }
  return result;
}

void expect_same_counts(const ChipResult& a, const ChipResult& b, bool cycles) {
  ASSERT_EQ(a.records.size(), b.records.size());
  EXPECT_EQ(a.totals.scratchpad.read, b.totals.scratchpad.read);
  EXPECT_EQ(a.totals.scratchpad.write, b.totals.scratchpad.write);
  EXPECT_EQ(a.totals.dram.read_bytes, b.totals.dram.read_bytes);
  EXPECT_EQ(a.totals.dram.write_bytes, b.totals.dram.write_bytes);
  EXPECT_EQ(a.totals.dram.row_misses, b.totals.dram.row_misses);
  EXPECT_EQ(a.counters.value("macs.static"), b.counters.value("macs.static"));
  EXPECT_EQ(a.counters.value("macs.dynamic"), b.counters.value("macs.dynamic"));
  if (!cycles) return;
  EXPECT_EQ(a.cycles, b.cycles);
  for (std::size_t i = 0; i < a.records.size(); ++i) {
    ASSERT_EQ(a.records[i].start_cycle, b.records[i].start_cycle) << "command " << i;
    ASSERT_EQ(a.records[i].end_cycle, b.records[i].end_cycle) << "command " << i;
    ASSERT_EQ(a.records[i].occupancy.busy, b.records[i].occupancy.busy) << "command " << i;
  }
}

class ChipLayers : public testing::TestWithParam<model::Mechanism> {
 protected:
  ChipLayers()
      : config_(small_chip()),
        mapping_(lower(config_, testing_layers::layer(GetParam(), 24, 64, 2, 32))) {}

  ChipResult run(Timing timing, bool data, std::vector<std::uint8_t>* out = nullptr) {
    ChipOptions options;
    options.timing = timing;
    options.data = data;
    return run_layer(config_, mapping_, options, out);
  }

  ChipConfig config_;
  Mapping mapping_;
};

TEST_P(ChipLayers, TileAndBeatComputeTheSameBytes) {
  std::vector<std::uint8_t> tile;
  std::vector<std::uint8_t> beat;
  run(Timing::kTile, true, &tile);
  run(Timing::kBeat, true, &beat);
  EXPECT_EQ(tile, beat);
  EXPECT_NE(std::accumulate(tile.begin(), tile.end(), 0), 0);
}

TEST_P(ChipLayers, TileIsCloseToBeatAndCountsTheSame) {
  const ChipResult tile = run(Timing::kTile, true);
  const ChipResult beat = run(Timing::kBeat, true);
  expect_same_counts(tile, beat, false);
  EXPECT_EQ(tile.counters.value("engines.cim.values.saturated"),
            beat.counters.value("engines.cim.values.saturated"));
  EXPECT_GT(tile.counters.value("engines.cim.values.saturated"), 0);
  // Tile timing neglects bank conflicts only; 8 banks here.
  EXPECT_LE(tile.cycles, beat.cycles);
  EXPECT_LT(static_cast<double>(beat.cycles - tile.cycles), 0.03 * static_cast<double>(beat.cycles))
      << "tile " << tile.cycles << " beat " << beat.cycles;
  // A command that met no conflict takes the same cycles in both. The DMA is
  // left out: its rows depend on what the DRAM did before.
  int compared = 0;
  for (std::size_t i = 0; i < beat.records.size(); ++i) {
    const CommandRecord& record = beat.records[i];
    if (record.unit == Unit::kDma) continue;
    if (record.occupancy.stalled_by(StallCause::kBankConflict) > 0) continue;
    EXPECT_EQ(record.end_cycle - record.start_cycle,
              tile.records[i].end_cycle - tile.records[i].start_cycle)
        << "command " << i << " on " << unit_name(record.unit);
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST_P(ChipLayers, DataChangeNoCycleAndNoAccess) {
  expect_same_counts(run(Timing::kTile, true), run(Timing::kTile, false), true);
  expect_same_counts(run(Timing::kBeat, true), run(Timing::kBeat, false), true);
}

TEST_P(ChipLayers, TwoRunsAreIdentical) {
  for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
    std::vector<std::uint8_t> first;
    std::vector<std::uint8_t> second;
    expect_same_counts(run(timing, true, &first), run(timing, true, &second), true);
    EXPECT_EQ(first, second);
  }
}

TEST_P(ChipLayers, CountersOfValuesAreNullWithoutData) {
  const ChipResult with = run(Timing::kTile, true);
  const ChipResult without = run(Timing::kTile, false);
  ASSERT_NE(with.counters.find("engines.cim.values.saturated"), nullptr);
  EXPECT_TRUE(with.counters.find("engines.cim.values.saturated")->value.has_value());
  EXPECT_FALSE(without.counters.find("engines.cim.values.saturated")->value.has_value());
}

TEST_P(ChipLayers, WithoutWritingWhileComputingTheWaitHasItsCause) {
  const ChipResult free = run(Timing::kTile, false);
  config_ = config_.with([](ChipValues& chip) { chip.cim.write_while_compute = false; });
  for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
    const ChipResult exclusive = run(timing, false);
    EXPECT_GE(exclusive.cycles, free.cycles);
    std::int64_t waited = 0;
    for (const CommandRecord& a : exclusive.records) {
      waited += a.exclusion_cycles;
      if (a.unit != Unit::kCimWrite) continue;
      for (const CommandRecord& b : exclusive.records) {
        if (b.unit != Unit::kCimCompute) continue;
        EXPECT_TRUE(a.end_cycle <= b.start_cycle || b.end_cycle <= a.start_cycle);
      }
    }
    if (GetParam() == model::Mechanism::kSoftmax) {
      EXPECT_GT(waited, 0);
    }
  }
}

TEST_P(ChipLayers, WrongExpectedWorkStopsTheRun) {
  SimulationContext context;
  ChipOptions options;
  options.data = false;
  Chip chip("chip", config_, options);
  chip.load(mapping_.program);
  ExpectedWork expected;
  expected.macs_static = 1;
  try {
    chip.run(expected);
    FAIL() << "expected InvariantError";
  } catch (const InvariantError& error) {
    EXPECT_THAT(error.what(), HasSubstr("macs.static"));
    EXPECT_THAT(error.what(), HasSubstr("= 1"));
  }
}

TEST_P(ChipLayers, TamperedCountsAreFound) {
  const ChipResult honest = run(Timing::kTile, false);
  check_conservation(honest, std::nullopt);
  ExpectedWork work;
  work.macs_static = honest.counters.value("macs.static");
  work.macs_dynamic = honest.counters.value("macs.dynamic");
  const auto refused = [&](auto tamper, const std::string& name) {
    ChipResult result = honest;
    tamper(result);
    try {
      check_conservation(result, work);
      ADD_FAILURE() << "not found: " << name;
    } catch (const InvariantError& error) {
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
  };
  refused([](ChipResult& r) { ++r.totals.dram.read_bytes; }, "dram.read_bytes");
  refused([](ChipResult& r) { ++r.totals.dram.write_bytes; }, "dram.write_bytes");
  refused([](ChipResult& r) { ++r.totals.dma_link.read_padding_bytes; }, "read_padding_bytes");
  refused([](ChipResult& r) { ++r.totals.scratchpad.read.bytes; }, "scratchpad.read_bytes");
  refused([](ChipResult& r) { ++r.totals.scratchpad.write.accesses; }, "write_accesses");
  refused([](ChipResult& r) { ++r.totals.scratchpad.write.slices; }, "write_slices");
  refused([](ChipResult& r) { ++r.totals.engine("cim").occupancy.busy; }, "engine cim");
  refused([](ChipResult& r) { --r.totals.dma.occupancy.idle; }, "dma");
  refused([](ChipResult& r) { r.records[3].end_cycle = r.cycles + 1; }, "command 3");
  refused([](ChipResult& r) { ++r.records[2].occupancy.busy; }, "command 2");
  refused([](ChipResult& r) { ++r.records.back().activity.macs_static; }, "macs.static");
}

std::string mechanism_name(const testing::TestParamInfo<model::Mechanism>& mechanism) {
  static const char* const kNames[] = {"softmax", "damf", "sinkhorn", "linear"};
  return kNames[static_cast<int>(mechanism.param)];
}

INSTANTIATE_TEST_SUITE_P(, ChipLayers,
                         testing::Values(model::Mechanism::kSoftmax, model::Mechanism::kDamf,
                                         model::Mechanism::kSinkhorn, model::Mechanism::kLinear),
                         mechanism_name);

/// The message of the InvariantError that a run with both operations exchanged
/// ends with; empty if there is none.
std::string error_of_exchange(const ChipConfig& config, const ChipOptions& options, Mapping mapping,
                              std::size_t a, std::size_t b) {
  std::swap(mapping.program.commands[a].operation, mapping.program.commands[b].operation);
  try {
    run_layer(config, mapping, options);
  } catch (const InvariantError& error) {
    return error.what();
  }
  return "";
}

// The linear engine keeps its state from one command to the next: a mapper that
// mixes up the pieces of a sequence is found at every timing, with data and without.
TEST(Chip, LinearCommandsOutOfOrderAreFound) {
  // Not enough for the sequence at once.
  const ChipConfig config =
      small_chip().with([](ChipValues& chip) { chip.scratchpad.capacity_bytes = 4 << 10; });
  for (const bool causal : {false, true}) {
    const app::ShapedTensors shapes(
        "test", {{"Q", {60, 32}}, {"K", {60, 32}}, {"V", {60, 8}}, {"RP", {5, 32}}});
    app::OperatorOptions options_of_linear;
    options_of_linear.result_only = true;
    const app::Task task = app::operator_task(
        "linear", shapes, {"test", {{"causal", causal ? "true" : "false"}}}, options_of_linear);
    const Mapping mapping = lower(config, {task.graph, {}});
    std::vector<std::size_t> pieces;
    for (std::size_t i = 0; i < mapping.program.commands.size(); ++i) {
      if (std::holds_alternative<LinearAttend>(mapping.program.commands[i].operation))
        pieces.push_back(i);
    }
    ASSERT_GE(pieces.size(), 4U);
    for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
      for (const bool data : {false, true}) {
        SCOPED_TRACE("causal " + std::to_string(causal) + " timing " +
                     std::to_string(static_cast<int>(timing)) + " data " + std::to_string(data));
        ChipOptions options;
        options.timing = timing;
        options.data = data;
        EXPECT_EQ(error_of_exchange(config, options, mapping, 0, 0), "");
        for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
          EXPECT_THAT(error_of_exchange(config, options, mapping, pieces[i], pieces[i + 1]),
                      HasSubstr("linear: "))
              << "pieces " << i << " and " << i + 1;
        }
      }
    }
  }
}

TEST(Chip, BytesComeBackIntactOverOddCopies) {
  for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
    SimulationContext context;
    const ChipConfig config = small_chip();
    ChipOptions options;
    options.timing = timing;
    Chip chip("chip", config, options);
    Program program;
    program.nodes = {{"copy", "copy"}};
    program.commands.push_back({copy_of(true, 3, 17, 13, 101, 117), {}, 0, "load_input", -1});
    program.commands.push_back(
        {copy_of(false, 70001, 17, 13, 101, 101), {0}, 0, "store_output", -1});
    const auto value = [](std::int64_t i) { return static_cast<std::uint8_t>(i * 7 + 1); };
    chip.load(program, [&](const Bytes& dram) {
      for (std::int64_t i = 0; i < 4096; ++i) {
        *dram.at(static_cast<std::uint64_t>(i), 1) = value(i);
      }
    });
    const ChipResult result = chip.run();
    for (std::int64_t row = 0; row < 13; ++row) {
      for (std::int64_t i = 0; i < 101; ++i) {
        ASSERT_EQ(*chip.dram().at(static_cast<std::uint64_t>(70001 + row * 101 + i), 1),
                  value(3 + row * 117 + i));
      }
    }
    EXPECT_EQ(*chip.dram().at(70000, 1), 0);
    EXPECT_EQ(*chip.dram().at(70001 + 13 * 101, 1), 0);
    EXPECT_GT(result.counters.value("dma.read_padding_bytes"), 0);
    EXPECT_EQ(result.counters.value("dma.read_useful_bytes"), 13 * 101);
  }
}

// 8 sums of 4 bytes begin in the middle of a word of 32: a beat of 4 lanes straddles it.
TEST(Chip, BeatsThatStraddleWordsAreRefusedAtEveryTiming) {
  for (const std::uint64_t source : {0, 8, 16, 24}) {
    for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
      SimulationContext context;
      ChipOptions options;
      options.timing = timing;
      options.data = false;
      Chip chip("chip", small_chip(), options);
      VectorRequantise requantise;
      requantise.source = source;
      requantise.source_pitch_bytes = 32;
      requantise.destination = 1024;
      requantise.destination_pitch_bytes = 32;
      requantise.rows = 3;
      requantise.columns = 8;
      Program program;
      program.nodes = {{"straddle", "straddle"}};
      program.commands.resize(1);
      program.commands[0].operation = requantise;
      chip.load(program);
      std::string message;
      try {
        chip.run();
      } catch (const InvariantError& error) {
        message = error.what();
      }
      if (source % 16 == 0) {
        EXPECT_EQ(message, "");
      } else {
        EXPECT_THAT(message, HasSubstr("command 0 (vector)"));
        EXPECT_THAT(message, HasSubstr("straddles words of 32 bytes"));
      }
    }
  }
}

TEST(Chip, AccessesBeyondAMemoryNameTheCommand) {
  for (const auto& [copy, memory] :
       {std::pair{copy_of(true, 0, (256 << 10) - 64, 1, 65, 65), "scratchpad"},
        std::pair{copy_of(true, (16 << 20) - 64, 0, 1, 65, 65), "DRAM"}}) {
    SimulationContext context;
    ChipOptions options;
    options.data = false;
    const ChipConfig config = small_chip();
    Chip chip("chip", config, options);
    Program program;
    program.nodes = {{"copy", "copy"}};
    program.commands.push_back({copy, {}, 0, "load_input", -1});
    chip.load(program);
    try {
      chip.run();
      FAIL() << "expected InvariantError";
    } catch (const InvariantError& error) {
      EXPECT_THAT(error.what(), HasSubstr("command 0"));
      EXPECT_THAT(error.what(), HasSubstr(memory));
    }
  }
}

// A foreign TLM-2.0 memory: 100 ns of latency, a bus of 10 ns per access.
class ForeignMemory : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<ForeignMemory> socket;
  explicit ForeignMemory(sc_core::sc_module_name name)
      : sc_core::sc_module(name), socket("socket"), bytes(1 << 20) {
    socket.register_b_transport(this, &ForeignMemory::b_transport);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    std::uint8_t* here = bytes.data() + payload.get_address();
    if (payload.is_read()) {
      std::memcpy(payload.get_data_ptr(), here, payload.get_data_length());
    } else {
      std::memcpy(here, payload.get_data_ptr(), payload.get_data_length());
    }
    ++accesses;
    const sc_core::sc_time earliest =
        sc_core::sc_time_stamp() + delay + sc_core::sc_time(100, sc_core::SC_NS);
    bus_free = std::max(earliest, bus_free + sc_core::sc_time(10, sc_core::SC_NS));
    delay = bus_free - sc_core::sc_time_stamp();
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  std::vector<std::uint8_t> bytes;
  int accesses = 0;
  sc_core::sc_time bus_free;
};

TEST(Chip, AnExternalMemoryTakesTheDramsPlace) {
  std::int64_t cycles = 0;
  for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
    SimulationContext context;
    const ChipConfig config = small_chip();
    ChipOptions options;
    options.timing = timing;
    options.external_dram = true;
    Chip chip("chip", config, options);
    ForeignMemory memory("memory");
    chip.bind_external_dram(memory.socket);
    Program program;
    program.nodes = {{"copy", "copy"}};
    program.commands.push_back({copy_of(true, 0, 0, 1, 64 * 40, 64 * 40), {}, 0, "load_input", -1});
    program.commands.push_back(
        {copy_of(false, 8192, 0, 1, 64 * 40, 64 * 40), {0}, 0, "store_output", -1});
    chip.load(program);
    for (std::size_t i = 0; i < 64 * 40; ++i) memory.bytes[i] = static_cast<std::uint8_t>(i * 3);
    const ChipResult result = chip.run();
    EXPECT_EQ(memory.accesses, 80);
    for (std::size_t i = 0; i < 64 * 40; ++i) {
      ASSERT_EQ(memory.bytes[8192 + i], static_cast<std::uint8_t>(i * 3));
    }
    EXPECT_EQ(result.counters.value("memory.dram.read_bytes"), 64 * 40);
    EXPECT_FALSE(result.counters.find("memory.dram.row_hits")->value.has_value());
    if (timing == Timing::kTile) cycles = result.cycles;
    // A burst is two words here, and 5 cycles on that bus.
    EXPECT_EQ(result.cycles, cycles);
  }
}

TEST(Chip, RtlOfAnEngineWithoutRtlIsTheUsersError) {
  SimulationContext context;
  ChipOptions options;
  options.rtl = {"vector"};
  const ChipConfig config = small_chip();
  EXPECT_THROW(Chip("chip", config, options), InputError);
}

}  // namespace
}  // namespace quadrille::hw
