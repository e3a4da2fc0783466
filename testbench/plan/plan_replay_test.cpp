// The judge of plans is judged: legal programs pass, and every planted fault is
// found, above all the loss of any one dependency that nothing else implies.
#include "testbench/common/plan_replay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "testbench/common/plan_lowering.h"

namespace quadrille::testbench {
namespace {

using hw::Command;
using hw::Mapping;
using hw::Unit;
using testing::HasSubstr;

KeyedFile small_chip() {
  KeyedFile chip;
  chip.set("name", "judged");
  chip.set("clock_mhz", 500);
  chip.set("cim.macros", 24);
  chip.set("cim.rows", 32);
  chip.set("cim.columns", 16);
  chip.set("cim.input_bytes_per_cycle", 16);
  chip.set("cim.output_bytes_per_cycle", 16);
  chip.set("cim.write_bytes_per_cycle", 16);
  chip.set("softmax.lanes", 4);
  chip.set("damf.lanes", 4);
  chip.set("damf.query_rows", 2);
  chip.set("sinkhorn.lanes", 4);
  chip.set("sinkhorn.tile_elements", 256);
  chip.set("sinkhorn.log_units", 2);
  chip.set("sinkhorn.value_columns", 2);
  chip.set("linear.lanes", 4);
  chip.set("linear.chunk_tokens", 4);
  chip.set("vector.lanes", 4);
  chip.set("scratchpad.capacity_kib", 128);
  chip.set("scratchpad.banks", 8);
  chip.set("scratchpad.word_bytes", 16);
  return chip;
}

PlanPoint layer_point(const std::string& mechanism, int tokens, bool causal = false) {
  PlanPoint point;
  point.chip = small_chip();
  KeyedFile& file = point.workload;
  file.set("name", "judged");
  file.set("kind", "attention-layer");
  file.set("mechanism", mechanism);
  file.set("tokens", tokens);
  file.set("model_width", 48);
  file.set("heads", 3);
  file.set("head_width", 16);
  file.set("causal", causal);
  return point;
}

class PlanReplay : public testing::Test {
 protected:
  PlannedPoint plan(const PlanPoint& point) const { return {folder_, point}; }

  TemporaryFolder folder_;
};

const std::vector<std::string> kMechanisms = {"softmax", "damf", "sinkhorn", "linear"};

TEST_F(PlanReplay, LayersAreLegal) {
  for (const std::string& mechanism : kMechanisms) {
    for (const int tokens : {1, 7, 33, 70}) {
      for (const bool causal : {false, true}) {
        const PlannedPoint point = plan(layer_point(mechanism, tokens, causal));
        EXPECT_EQ(first_plan_fault(point.chip(), point.mapping()), std::nullopt)
            << mechanism << ", " << tokens << " tokens";
      }
    }
  }
}

// Commands that have ended when `second` starts, the edge left out.
bool implied(const hw::Program& program, int first, int second) {
  std::vector<bool> before(program.commands.size(), false);
  std::vector<int> path;
  const auto follow = [&](int index) {
    const Command& command = program.commands[static_cast<std::size_t>(index)];
    for (const int earlier : command.depends_on)
      if (index != second || earlier != first) path.push_back(earlier);
    for (int earlier = index - 1; earlier >= 0; --earlier) {
      const Command& other = program.commands[static_cast<std::size_t>(earlier)];
      if (unit_of(other.operation) != unit_of(command.operation)) continue;
      path.push_back(earlier);
      break;
    }
  };
  follow(second);
  while (!path.empty()) {
    const int index = path.back();
    path.pop_back();
    if (index == first) return true;
    if (index < first || before[static_cast<std::size_t>(index)]) continue;
    before[static_cast<std::size_t>(index)] = true;
    follow(index);
  }
  return false;
}

/// Drops dependencies one at a time. Those of which nothing is lost must stay
/// legal, the others must be found.
void expect_every_loss_found(const hw::ChipConfig& chip, Mapping mapping, int least_losses) {
  int losses = 0;
  for (std::size_t i = 0; i < mapping.program.commands.size(); ++i) {
    const std::vector<int> all = mapping.program.commands[i].depends_on;
    for (const int dropped : all) {
      std::vector<int>& left = mapping.program.commands[i].depends_on;
      left = all;
      left.erase(std::remove(left.begin(), left.end(), dropped), left.end());
      const bool kept = implied(mapping.program, dropped, static_cast<int>(i));
      const auto fault = first_plan_fault(chip, mapping);
      EXPECT_EQ(fault.has_value(), !kept)
          << "command " << i << " without waiting for " << dropped << ": " << fault.value_or("");
      losses += kept ? 0 : 1;
    }
    mapping.program.commands[i].depends_on = all;
  }
  EXPECT_GE(losses, least_losses);
}

TEST_F(PlanReplay, FindsEveryDependencyThatIsLost) {
  for (const std::string& mechanism : kMechanisms) {
    SCOPED_TRACE(mechanism);
    const PlannedPoint point = plan(layer_point(mechanism, 9));
    expect_every_loss_found(point.chip(), point.mapping(), 10);
  }
}

/// The first command with this kind of operation, from `from` on.
template <typename Operation>
std::size_t find_command(const Mapping& mapping, std::size_t from = 0) {
  for (std::size_t i = from; i < mapping.program.commands.size(); ++i)
    if (std::holds_alternative<Operation>(mapping.program.commands[i].operation)) return i;
  throw std::out_of_range("no such command");
}

template <typename Operation>
Operation& operation_of(Mapping& mapping, std::size_t index) {
  return std::get<Operation>(mapping.program.commands[index].operation);
}

class PlantedFault : public PlanReplay {
 protected:
  PlantedFault() : point_(plan(layer_point("softmax", 33))), mapping_(point_.mapping()) {}
  std::string fault() const {
    return first_plan_fault(point_.chip(), mapping_).value_or("no fault");
  }

  PlannedPoint point_;
  Mapping mapping_;
};

TEST_F(PlantedFault, NoneBefore) { EXPECT_EQ(fault(), "no fault"); }

// A buffer moved onto another one: what lies there is still read.
TEST_F(PlantedFault, ABufferOnAnother) {
  const std::size_t input = find_command<hw::DmaCopy>(mapping_);
  // The second strip of weights: the first is there before the first product anyway.
  const std::size_t first = find_command<hw::DmaCopy>(mapping_, input + 1);
  const std::size_t weights = find_command<hw::DmaCopy>(mapping_, first + 1);
  operation_of<hw::DmaCopy>(mapping_, weights).scratchpad_address =
      operation_of<hw::DmaCopy>(mapping_, input).scratchpad_address;
  EXPECT_NE(fault(), "no fault");
}

TEST_F(PlantedFault, ReadsWhatNobodyWrote) {
  const std::size_t index = find_command<hw::SoftmaxRows>(mapping_);
  operation_of<hw::SoftmaxRows>(mapping_, index).source = 120 << 10;
  EXPECT_THAT(fault(), HasSubstr("nobody wrote"));
}

// A wait for an earlier command in place of the right one.
TEST_F(PlantedFault, AWaitTooShort) {
  const std::size_t index = find_command<hw::CimMultiply>(mapping_);
  std::vector<int>& waits = mapping_.program.commands[index].depends_on;
  *std::max_element(waits.begin(), waits.end()) = 0;
  EXPECT_THAT(fault(), HasSubstr(fmt::format("command {} (cim_compute)", index)));
  EXPECT_THAT(fault(), HasSubstr("without waiting for"));
}

TEST_F(PlantedFault, MacroRegionsSwapped) {
  std::vector<std::size_t> writes;
  for (std::size_t i = 0; i < mapping_.program.commands.size(); ++i)
    if (std::holds_alternative<hw::CimWrite>(mapping_.program.commands[i].operation))
      writes.push_back(i);
  ASSERT_GE(writes.size(), 2U);
  auto& first = operation_of<hw::CimWrite>(mapping_, writes[0]).region;
  for (const std::size_t write : writes) {
    auto& other = operation_of<hw::CimWrite>(mapping_, write).region;
    if (other.first_macro == first.first_macro) continue;
    std::swap(first.first_macro, other.first_macro);
    EXPECT_THAT(fault(), HasSubstr("macro"));
    return;
  }
  FAIL() << "all writes go to one region";
}

TEST_F(PlantedFault, AnotherMatrixThanWasWritten) {
  const std::size_t index = find_command<hw::CimMultiply>(mapping_);
  const auto original = operation_of<hw::CimMultiply>(mapping_, index);
  const auto expect_found = [&](auto change, const char* what) {
    auto& multiply = operation_of<hw::CimMultiply>(mapping_, index);
    change(multiply);
    EXPECT_NE(fault(), "no fault") << what;
    multiply = original;
  };
  expect_found([](auto& m) { m.columns -= 1; }, "columns");
  expect_found([](auto& m) { m.rows -= 1; }, "rows");
  expect_found([](auto& m) { m.weight_bits = 4; }, "weight bits");
  expect_found([](auto& m) { m.dynamic = !m.dynamic; }, "kind");
  expect_found([](auto& m) { m.region.first_macro = 23; }, "region");
  EXPECT_EQ(fault(), "no fault");
}

TEST_F(PlantedFault, BeatsAcrossWords) {
  const std::size_t index = find_command<hw::SoftmaxRows>(mapping_);
  operation_of<hw::SoftmaxRows>(mapping_, index).source += 4;
  EXPECT_THAT(fault(), HasSubstr("across words"));
}

TEST_F(PlantedFault, BeyondTheMemories) {
  const std::size_t index = find_command<hw::DmaCopy>(mapping_);
  const auto original = operation_of<hw::DmaCopy>(mapping_, index);
  operation_of<hw::DmaCopy>(mapping_, index).scratchpad_address = (128 << 10) - 16;
  EXPECT_THAT(fault(), HasSubstr("beyond"));
  operation_of<hw::DmaCopy>(mapping_, index) = original;
  operation_of<hw::DmaCopy>(mapping_, index).dram_address = 1 << 30;
  EXPECT_THAT(fault(), HasSubstr("beyond"));
}

TEST_F(PlantedFault, OverwritesAnInputInDram) {
  for (Command& command : mapping_.program.commands) {
    auto* copy = std::get_if<hw::DmaCopy>(&command.operation);
    if (copy == nullptr || copy->to_scratchpad) continue;
    copy->dram_address = mapping_.tensor("X").pieces.front().address;
    EXPECT_THAT(fault(), HasSubstr("which an input holds"));
    return;
  }
  FAIL() << "nothing is stored";
}

TEST_F(PlantedFault, AnOutputThatNobodyWrites) {
  auto& commands = mapping_.program.commands;
  ASSERT_TRUE(std::holds_alternative<hw::DmaCopy>(commands.back().operation));
  commands.pop_back();
  EXPECT_THAT(fault(), HasSubstr("nobody writes"));
}

TEST_F(PlantedFault, RowsWrittenOverEachOther) {
  const std::size_t index = find_command<hw::CimMultiply>(mapping_);
  operation_of<hw::CimMultiply>(mapping_, index).destination_pitch_bytes = 16;
  EXPECT_THAT(fault(), HasSubstr("twice"));
}

TEST_F(PlantedFault, ADependencyOnALaterCommand) {
  mapping_.program.commands[0].depends_on = {1};
  EXPECT_THAT(fault(), HasSubstr("not an earlier one"));
}

// Between the rows of a rectangle lie bytes that it does not touch.
TEST_F(PlanReplay, ARectangleIsNotItsBounds) {
  const PlannedPoint point = plan(layer_point("softmax", 1));
  Mapping mapping;
  mapping.tensors = {{"A", 4, 16, 1, model::Role::kInput, {{0, 16, 0, 4, 0, 16}}}};
  const auto copy = [&](std::uint64_t address, bool in, std::vector<int> waits) {
    Command command;
    command.operation = hw::DmaCopy{in, in ? 0U : 4096U, 16, address, 64, 4, 16};
    command.depends_on = std::move(waits);
    mapping.program.commands.push_back(command);
  };
  copy(0, true, {});
  copy(16, true, {});
  copy(0, false, {});
  EXPECT_EQ(first_plan_fault(point.chip(), mapping), std::nullopt);
  copy(32, false, {});
  EXPECT_THAT(first_plan_fault(point.chip(), mapping).value_or(""), HasSubstr("nobody wrote"));
}

}  // namespace
}  // namespace quadrille::testbench
