// An engine that the house does not know, through the public interface alone: it stands in
// this file, and nothing of hw/ or app/ was touched for it (docs/adding-an-engine.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "app/config/chip_file.h"
#include "hw/chip.h"
#include "hw/energy/energy.h"
#include "hw/engine_unit.h"
#include "hw/engines/credit_pipeline.h"
#include "hw/simulation_context.h"
#include "model/errors.h"
#include "testbench/common/drive.h"
#include "testbench/common/source_tree.h"

namespace quadrille::hw {
namespace {

using testing::HasSubstr;

constexpr auto kInverterUnit = static_cast<Unit>(kUnits);
constexpr int kBeatBytes = 16;
constexpr int kLatency = 2;

/// Writes the complement of `bytes` bytes to another place.
struct Invert {
  std::uint64_t source = 0;
  std::uint64_t destination = 0;
  std::int64_t bytes = 0;

  explicit Invert(const ForeignOperation& packed)
      : source(packed.words[0]),
        destination(packed.words[1]),
        bytes(static_cast<std::int64_t>(packed.words[2])) {}
};

ForeignOperation invert(std::uint64_t source, std::uint64_t destination, std::int64_t bytes) {
  ForeignOperation packed;
  packed.unit = kInverterUnit;
  packed.words = {source, destination, static_cast<std::uint64_t>(bytes)};
  return packed;
}

Stream stream_at(std::uint64_t address, std::int64_t bytes) {
  return {matrix_rows(address, 1, bytes, bytes, kBeatBytes)};
}

class InverterBody final : public BeatEngine<ForeignOperation> {
 public:
  bool command_ready() const override { return !left_; }
  bool input_ready() const override { return left_ && *left_ > 0 && pipeline_.can_launch(); }
  bool output_valid() const override { return pipeline_.valid(); }
  const Beat& output() const override { return pipeline_.front(); }

  void tick(const BeatInputs<ForeignOperation>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool gives = inputs.output_ready && output_valid();
    if (inputs.input != nullptr && input_ready()) {
      Beat result = *inputs.input;
      result.size = static_cast<int>(std::min<std::int64_t>(*left_, kBeatBytes));
      for (int i = 0; i < kBeatBytes; ++i) {
        std::uint8_t& byte = result.bytes[static_cast<std::size_t>(i)];
        byte = i < result.size ? static_cast<std::uint8_t>(~byte) : std::uint8_t{0};
      }
      *left_ -= result.size;
      pipeline_.launch(result);
    }
    if (gives) {
      pipeline_.take();
      if (*left_ == 0 && pipeline_.empty()) left_.reset();
    }
    if (starts) left_ = Invert(*inputs.command).bytes;
    pipeline_.advance();
  }

 private:
  CreditPipeline<Beat> pipeline_{kLatency, kLatency + 1};
  std::optional<std::int64_t> left_;  ///< Bytes of the command that have not come in.
};

class Inverter final : public Engine<ForeignOperation> {
 public:
  /// Bytes of each command that the tile data path forgets to write.
  explicit Inverter(std::uint64_t forgotten) : forgotten_(forgotten) {}

  Stream input(const ForeignOperation& operation) const override {
    return stream_at(Invert(operation).source, Invert(operation).bytes);
  }
  Stream output(const ForeignOperation& operation) const override {
    return stream_at(Invert(operation).destination, Invert(operation).bytes);
  }
  std::int64_t alone_cycles(const ForeignOperation& operation,
                            const CommandCourse&) const override {
    return stream_beats(input(operation)) + kLatency + 1;
  }
  Activity activity(const ForeignOperation& operation, const CommandCourse&) const override {
    Activity activity;
    activity.additions = Invert(operation).bytes;
    return activity;
  }
  CommandCourse execute(const ForeignOperation& operation, const Bytes& scratchpad,
                        Activity&) override {
    const Invert invert(operation);
    const auto count = static_cast<std::uint64_t>(invert.bytes);
    const std::uint8_t* from = scratchpad.read(invert.source, count);
    std::uint8_t* to = scratchpad.write(invert.destination, count - forgotten_);
    for (std::uint64_t i = 0; i < count - forgotten_; ++i)
      to[i] = static_cast<std::uint8_t>(~from[i]);
    return {};
  }
  std::unique_ptr<BeatEngine<ForeignOperation>> body(Activity*) override {
    return std::make_unique<InverterBody>();
  }

 private:
  std::uint64_t forgotten_;
};

class InverterEntry final : public EngineEntry {
 public:
  explicit InverterEntry(std::uint64_t forgotten = 0) : forgotten_(forgotten) {}
  const char* name() const override { return "inverter"; }
  std::vector<UnitEntry> units() const override { return {{kInverterUnit, "inverter"}}; }
  std::unique_ptr<ChipEngine> make(const ChipConfig&) const override {
    return std::make_unique<OneUnitEngine<ForeignOperation>>(
        *this, std::make_unique<Inverter>(forgotten_));
  }
  double area_um2(const ChipConfig&, const Technology& technology) const override {
    return kBeatBytes * technology.value("area.requantise");
  }

 private:
  std::uint64_t forgotten_;
};

EngineList with(const EngineEntry& more) {
  std::vector<const EngineEntry*> entries = engines().entries();
  entries.push_back(&more);
  return EngineList(entries);
}

DmaCopy copy_of(bool to_scratchpad, std::uint64_t dram, std::uint64_t scratchpad,
                std::int64_t bytes) {
  DmaCopy copy;
  copy.to_scratchpad = to_scratchpad;
  copy.dram_address = dram;
  copy.scratchpad_address = scratchpad;
  copy.rows = 1;
  copy.row_bytes = bytes;
  return copy;
}

constexpr std::int64_t kBytes = 1000;

/// Loads, inverts, stores; meanwhile the DMA loads more, into the same banks.
Program program() {
  Program program;
  program.nodes = {{"invert", "invert"}};
  program.commands.resize(4);
  program.commands[0].operation = copy_of(true, 64, 0, kBytes);
  program.commands[1].operation = copy_of(true, 8192, 4096, 2048);
  program.commands[2].operation = invert(0, 2048, kBytes);
  program.commands[2].depends_on = {0};
  program.commands[3].operation = copy_of(false, 4096, 2048, kBytes);
  program.commands[3].depends_on = {2};
  return program;
}

class ForeignEngine : public testing::Test {
 protected:
  ChipResult run(Timing timing, bool data, const EngineList& list) {
    SimulationContext context;
    ChipOptions options;
    options.timing = timing;
    options.data = data;
    options.engines = &list;
    Chip chip("chip", config_, options);
    chip.load(program(), [](const Bytes& dram) {
      for (std::int64_t i = 0; i < kBytes; ++i)
        *dram.at(static_cast<std::uint64_t>(64 + i), 1) = static_cast<std::uint8_t>(7 * i);
    });
    ChipResult result = chip.run();
    for (std::int64_t i = 0; data && i < kBytes; ++i) {
      EXPECT_EQ(*chip.dram().at(static_cast<std::uint64_t>(4096 + i), 1),
                static_cast<std::uint8_t>(~(7 * i)));
    }
    return result;
  }

  const ChipConfig config_ = app::read_chip_file(testbench::source_path("chips/small.yaml"));
  const InverterEntry entry_;
  const EngineList list_ = with(entry_);
};

TEST_F(ForeignEngine, MovesBytesAndIsCounted) {
  for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
    for (const bool data : {true, false}) {
      const ChipResult result = run(timing, data, list_);
      EXPECT_EQ(result.counters.value("engines.inverter.commands"), 1);
      EXPECT_EQ(result.counters.value("engines.inverter.ops.additions"), kBytes);
      EXPECT_EQ(result.counters.value("ops.additions"), kBytes);
      EXPECT_EQ(result.counters.value("memory.sram.read_bytes"), 2 * kBytes);
      EXPECT_EQ(result.totals.engine("inverter").occupancy.total(), result.cycles);
      const CommandRecord& record = result.records[2];
      EXPECT_EQ(record.occupancy.busy, (kBytes + kBeatBytes - 1) / kBeatBytes + kLatency + 1);
    }
  }
}

TEST_F(ForeignEngine, BeatTimingIsTheClosedFormAndItsConflicts) {
  const CommandRecord tile = run(Timing::kTile, true, list_).records[2];
  const CommandRecord beat = run(Timing::kBeat, true, list_).records[2];
  EXPECT_EQ(
      beat.end_cycle - beat.start_cycle,
      tile.end_cycle - tile.start_cycle + beat.occupancy.stalled_by(StallCause::kBankConflict));
}

TEST_F(ForeignEngine, TakesStalledStreams) {
  std::mt19937_64 random(5);
  std::vector<std::uint8_t> memory(4096);
  for (std::uint8_t& byte : memory) byte = static_cast<std::uint8_t>(random());
  InverterBody body;
  Inverter engine(0);
  for (int i = 0; i < 200; ++i) {
    const auto bytes = static_cast<std::int64_t>(1 + random() % 600);
    const ForeignOperation operation = invert(0, 2048, bytes);
    testbench::drive(body, operation, engine.input(operation), engine.output(operation),
                     Bytes(memory.data(), memory.size()), testbench::draw_surroundings(random));
    for (std::int64_t at = 0; at < bytes; ++at) {
      const auto place = static_cast<std::size_t>(at);
      ASSERT_EQ(memory[2048 + place], static_cast<std::uint8_t>(~memory[place])) << at;
    }
  }
}

TEST_F(ForeignEngine, IsPriced) {
  std::vector<TechnologyRow> rows;
  double value = 1.0;
  for (const std::string& name : required_technology_rows())
    rows.push_back({name, value += 1.0, "pJ", "test", 28, 0.9, "assumed"});
  const Technology technology("test", rows, {{8, 2, 4, 10}, {32, 8, 16, 40}});
  const ChipResult result = run(Timing::kTile, true, list_);
  const CommandRecord& record = result.records[2];
  const ByComponent energy =
      dynamic_energy_pj(config_, technology, record.unit, record.activity, record.traffic, list_);
  EXPECT_DOUBLE_EQ(energy.at("inverter"), kBytes * technology.value("op.addition"));
  EXPECT_GT(energy.at("sram"), 0.0);
  const double area = area_um2(config_, technology, list_).at("inverter");
  EXPECT_DOUBLE_EQ(area, kBeatBytes * technology.value("area.requantise"));
  EXPECT_GT(static_energy_pj(config_, technology, result.cycles, list_).at("inverter"), 0.0);
}

// Bytes are counted where the data path moves them: one that moves others than its
// streams list ends the run.
TEST_F(ForeignEngine, ByteThatIsNotMovedIsFound) {
  const InverterEntry forgetful(1);
  const EngineList list = with(forgetful);
  try {
    run(Timing::kTile, true, list);
    ADD_FAILURE() << "expected InvariantError";
  } catch (const InvariantError& error) {
    EXPECT_THAT(error.what(), HasSubstr("command 2 (inverter): its data path wrote 999 bytes"));
  }
}

TEST_F(ForeignEngine, ChipWithoutItRefusesItsCommands) {
  EXPECT_THROW(run(Timing::kTile, false, engines()), InvariantError);
  ChipOptions options;
  options.engines = &list_;
  options.rtl = {"inverter"};
  SimulationContext context;
  EXPECT_THROW(Chip("chip", config_, options), InputError);
}

}  // namespace
}  // namespace quadrille::hw
