// CIM bank: tile data and beat data equal the matrix product of the codes'
// low bits, under stalls too; what the macros hold is tracked.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "hw/engines/cim/cim_bank.h"
#include "model/numerics/integers.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/portable_random.h"

namespace quadrille {
namespace {

using namespace hw;
using testbench::draw_surroundings;
using testbench::drive;

constexpr std::uint64_t kWeights = 0;
constexpr std::uint64_t kInputs = 1 << 15;
constexpr std::uint64_t kOutputs = 1 << 16;

struct Case {
  CimConfig config;
  CimWrite write;
  CimMultiply multiply;
  std::vector<std::uint8_t> memory;

  std::string describe() const {
    return "macros of " + std::to_string(config.rows) + " x " + std::to_string(config.columns) +
           ", ports " + std::to_string(config.input_bytes_per_cycle) + "/" +
           std::to_string(config.output_bytes_per_cycle) + "/" +
           std::to_string(config.write_bytes_per_cycle) + ", " + std::to_string(multiply.tokens) +
           " tokens x " + std::to_string(write.rows) + " x " + std::to_string(write.columns) +
           (write.transpose ? " transposed" : "") + ", bits " +
           std::to_string(multiply.input_bits) + (multiply.input_signed ? "s x " : "u x ") +
           std::to_string(write.weight_bits);
  }
};

Case random_case(std::mt19937_64& random) {
  const auto pick = [&](int low, int high) { return quadrille::pick(random, low, high); };
  const auto choose = [&](std::initializer_list<int> list) {
    return *(list.begin() + pick(0, static_cast<int>(list.size()) - 1));
  };
  Case c;
  c.config.macros = 40;
  c.config.rows = choose({8, 20, 64});
  c.config.columns = choose({4, 16, 24});
  c.config.input_bytes_per_cycle = choose({4, 16, 128});
  c.config.output_bytes_per_cycle = choose({4, 32, 128});
  c.config.write_bytes_per_cycle = choose({3, 8, 16, 64});
  CimRegion region;
  c.write.rows = pick(1, 3 * c.config.rows);
  c.write.columns = pick(1, 3 * c.config.columns);
  region.row_tiles = model::ceil_div(c.write.rows, c.config.rows);
  region.column_tiles = model::ceil_div(c.write.columns, c.config.columns);
  region.first_macro = pick(0, c.config.macros - region.macros());
  c.write.region = region;
  c.write.transpose = pick(0, 1) == 1;
  c.write.weight_bits = choose({1, 2, 5, 8, 8});
  c.write.source = kWeights;
  c.write.source_pitch_bytes = (c.write.transpose ? c.write.rows : c.write.columns) + pick(0, 3);
  CimMultiply& multiply = c.multiply;
  multiply.region = region;
  multiply.rows = c.write.rows;
  multiply.columns = c.write.columns;
  multiply.weight_bits = c.write.weight_bits;
  multiply.input_bits = choose({1, 3, 8, 8});
  multiply.input_signed = pick(0, 1) == 1;
  multiply.tokens = pick(1, 13);
  multiply.source = kInputs;
  multiply.source_pitch_bytes = multiply.rows + pick(0, 3);
  multiply.destination = kOutputs;
  multiply.destination_pitch_bytes = 4 * (multiply.columns + pick(0, 3));
  c.memory.resize((1 << 16) + (1 << 13));
  const int kind = pick(0, 2);
  for (std::uint8_t& byte : c.memory)
    byte = kind == 0 ? (pick(0, 1) == 0 ? 0x80 : 0x7F) : static_cast<std::uint8_t>(random());
  return c;
}

int code_value(std::uint8_t byte, int bits, bool is_signed) {
  const int masked = byte % (1 << bits);
  return is_signed && masked >= 1 << (bits - 1) ? masked - (1 << bits) : masked;
}

std::vector<std::uint8_t> reference(const Case& c) {
  auto memory = c.memory;
  const Bytes bytes(memory.data(), memory.size());
  for (int t = 0; t < c.multiply.tokens; ++t) {
    for (int j = 0; j < c.write.columns; ++j) {
      std::int32_t sum = 0;
      for (int i = 0; i < c.write.rows; ++i) {
        const auto weight =
            static_cast<std::uint64_t>(c.write.transpose ? j * c.write.source_pitch_bytes + i
                                                         : i * c.write.source_pitch_bytes + j);
        const auto input = static_cast<std::uint64_t>(t * c.multiply.source_pitch_bytes + i);
        sum += code_value(*bytes.at(kInputs + input, 1), c.multiply.input_bits,
                          c.multiply.input_signed) *
               code_value(*bytes.at(kWeights + weight, 1), c.write.weight_bits, true);
      }
      bytes.write_i32(
          kOutputs + static_cast<std::uint64_t>(t * c.multiply.destination_pitch_bytes + 4 * j),
          sum);
    }
  }
  return memory;
}

TEST(CimBank, TileAndBeatEqualTheProduct) {
  const std::uint64_t seed = testbench::test_seed(20240504);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 400; ++trial) {
    const Case c = random_case(random);
    SCOPED_TRACE("trial " + std::to_string(trial) + ": " + c.describe());
    const auto expected = reference(c);

    auto tile = c.memory;
    const Bytes tile_bytes(tile.data(), tile.size());
    Activity values;
    CimBank bank(c.config);
    bank.start(c.write);
    bank.execute(c.write, tile_bytes, values);
    bank.finish(c.write);
    bank.start(c.multiply);
    bank.execute(c.multiply, tile_bytes, values);
    bank.finish(c.multiply);
    ASSERT_EQ(tile, expected);

    auto beat = c.memory;
    const Bytes beat_bytes(beat.data(), beat.size());
    CimBank beat_bank(c.config);
    auto writer = make_cim_write_beat_body(beat_bank);
    auto multiplier = make_cim_multiply_beat_body(beat_bank);
    // The second write finds the cells used.
    for (int round = 0; round < 2; ++round) {
      drive(*writer, c.write, input_stream(c.config, c.write), {}, beat_bytes,
            draw_surroundings(random));
      drive(*multiplier, c.multiply, input_stream(c.config, c.multiply),
            output_stream(c.config, c.multiply), beat_bytes, draw_surroundings(random));
      ASSERT_EQ(beat, expected);
      std::copy(c.memory.begin() + kOutputs, c.memory.end(), beat.begin() + kOutputs);
    }
  }
}

TEST(CimBank, CountsEveryPairOnce) {
  CimConfig config;
  config.macros = 12;
  config.rows = 16;
  config.columns = 8;
  const CimBank bank(config);
  CimMultiply multiply;
  multiply.tokens = 9;
  multiply.rows = 20;
  multiply.columns = 21;
  multiply.input_bits = 5;
  multiply.weight_bits = 3;
  multiply.region = {0, 2, 3};
  const std::int64_t executed = 9 * (2 * 16) * (3 * 8);
  for (const int first : {-30, -5, -1, 0, 4, 15, 40}) {
    for (const char* mask : {"none", "columns", "rows"}) {
      multiply.first_token = first;
      multiply.causal_columns = mask[0] == 'c';
      multiply.causal_rows = mask[0] == 'r';
      multiply.dynamic = mask[0] != 'n';
      std::int64_t useful = 0;
      for (int t = 0; t < 9; ++t)
        for (int i = 0; i < 20; ++i)
          for (int j = 0; j < 21; ++j)
            useful += (!multiply.causal_columns || j <= first + t) &&
                              (!multiply.causal_rows || i <= first + t)
                          ? 1
                          : 0;
      const Activity activity = bank.activity(multiply);
      EXPECT_EQ(multiply.dynamic ? activity.macs_dynamic : activity.macs_static, useful)
          << mask << " from " << first;
      EXPECT_EQ(multiply.dynamic ? activity.macs_static : activity.macs_dynamic, 0);
      EXPECT_EQ(activity.macs_wasted, executed - useful);
      EXPECT_EQ(activity.cim_bit_cycles, executed * 5 * 3);
    }
  }
  CimWrite write;
  write.rows = 20;
  write.columns = 21;
  write.weight_bits = 3;
  write.region = multiply.region;
  EXPECT_EQ(bank.activity(write).cim_static_write_bits, 20 * 21 * 3);
  EXPECT_EQ(bank.activity(write).cim_dynamic_write_bits, 0);
  write.dynamic = true;
  EXPECT_EQ(bank.activity(write).cim_static_write_bits, 0);
  EXPECT_EQ(bank.activity(write).cim_dynamic_write_bits, 20 * 21 * 3);
}

class CimResidency : public testing::Test {
 protected:
  CimResidency() {
    config_.macros = 8;
    config_.rows = 16;
    config_.columns = 8;
  }
  static CimWrite write(int first_macro, int k = 16, int n = 16) {
    CimWrite operation;
    operation.rows = k;
    operation.columns = n;
    operation.region = {first_macro, (k + 15) / 16, (n + 7) / 8};
    return operation;
  }
  static CimMultiply multiply(const CimWrite& of) {
    CimMultiply operation;
    operation.tokens = 1;
    operation.rows = of.rows;
    operation.columns = of.columns;
    operation.region = of.region;
    return operation;
  }
  static void complete(CimBank& bank, const CimWrite& operation) {
    bank.start(operation);
    bank.finish(operation);
  }
  template <typename Operation>
  static void expect_error(CimBank& bank, const Operation& operation, const std::string& part) {
    try {
      bank.start(operation);
      ADD_FAILURE() << "no error, expected: " << part;
    } catch (const InvariantError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  CimConfig config_;
};

TEST_F(CimResidency, RefusesWhatWasNotWritten) {
  CimBank bank(config_);
  expect_error(bank, multiply(write(0)), "never written");
}

TEST_F(CimResidency, RefusesAnotherShapeRegionOrWidth) {
  CimBank bank(config_);
  complete(bank, write(0, 16, 16));
  expect_error(bank, multiply(write(0, 15, 16)), "finds the 16 x 16 weights");
  expect_error(bank, multiply(write(1, 16, 8)), "finds the 16 x 16 weights");
  CimMultiply narrow = multiply(write(0));
  narrow.weight_bits = 4;
  expect_error(bank, narrow, "4 bits: finds");
}

TEST_F(CimResidency, RefusesPartlyOverwrittenWeights) {
  CimBank bank(config_);
  complete(bank, write(0, 16, 16));
  complete(bank, write(1, 16, 8));
  expect_error(bank, multiply(write(0)), "partly overwritten");
  bank.start(multiply(write(1, 16, 8)));
}

TEST_F(CimResidency, RefusesToReadWhileWriting) {
  CimBank bank(config_);
  bank.start(write(0));
  expect_error(bank, multiply(write(0)), "still being written");
}

TEST_F(CimResidency, RefusesToWriteMacrosInUse) {
  CimBank bank(config_);
  complete(bank, write(0));
  bank.start(multiply(write(0)));
  expect_error(bank, write(1), "meets macro 1, in use");
  bank.start(write(2));
}

TEST_F(CimResidency, AllowsTheMacrosAgainAfterUse) {
  CimBank bank(config_);
  complete(bank, write(0));
  bank.start(multiply(write(0)));
  bank.finish(multiply(write(0)));
  bank.start(write(1));
}

TEST_F(CimResidency, AFailedWriteLeavesTheWeights) {
  CimBank bank(config_);
  complete(bank, write(4));
  complete(bank, write(2));
  bank.start(multiply(write(4)));
  expect_error(bank, write(3), "meets macro 4");
  bank.finish(multiply(write(4)));
  bank.start(multiply(write(2)));
}

TEST_F(CimResidency, OneCommandPerPort) {
  CimBank bank(config_);
  complete(bank, write(0));
  bank.start(write(2));
  expect_error(bank, write(4), "starts while the write");
  bank.start(multiply(write(0)));
  expect_error(bank, multiply(write(0)), "starts while the one");
}

TEST_F(CimResidency, WritingWhileComputingIsASetting) {
  config_.write_while_compute = false;
  CimBank bank(config_);
  complete(bank, write(0));
  complete(bank, write(2));
  bank.start(multiply(write(0)));
  expect_error(bank, write(4), "does not write while computing");
  bank.finish(multiply(write(0)));
  bank.start(write(4));
  expect_error(bank, multiply(write(0)), "does not write while computing");
}

TEST_F(CimResidency, RefusesRegionsThatDoNotFit) {
  CimBank bank(config_);
  expect_error(bank, write(7), "does not fit");
  CimWrite wrong = write(0);
  wrong.region.row_tiles = 2;
  expect_error(bank, wrong, "does not fit");
  CimWrite wide = write(0);
  wide.weight_bits = 9;
  expect_error(bank, wide, "9 weight bits");
}

// No timing accepts what the packed command does not hold.
TEST_F(CimResidency, RefusesMoreTokensThanTheirPackedForm) {
  CimBank bank(config_);
  complete(bank, write(0));
  CimMultiply long_one = multiply(write(0));
  long_one.tokens = 65535;
  bank.start(long_one);
  bank.finish(long_one);
  long_one.tokens = 65536;
  expect_error(bank, long_one, "65536 tokens, expected 1..65535");
}

TEST_F(CimResidency, DataNeedsAStartAndWeightsWithData) {
  CimBank bank(config_);
  std::vector<std::uint8_t> memory(4096);
  const Bytes bytes(memory.data(), memory.size());
  Activity values;
  EXPECT_THROW(bank.execute(write(0), bytes, values), InvariantError);
  complete(bank, write(0));
  EXPECT_THROW(bank.execute(multiply(write(0)), bytes, values), InvariantError);
  bank.start(multiply(write(0)));
  EXPECT_THROW(bank.execute(multiply(write(0)), bytes, values), InvariantError);
}

}  // namespace
}  // namespace quadrille
