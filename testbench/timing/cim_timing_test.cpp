// The CIM bank's timing contract: writes at one granule per cycle, multiplies
// at one token per initiation interval.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hw/engines/cim/cim_bank.h"
#include "testbench/common/drive.h"

namespace quadrille {
namespace {

using namespace hw;

std::int64_t ceil_of(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

CimRegion region_of(const CimConfig& config, int k, int n) {
  return {0, static_cast<int>(ceil_of(k, config.rows)),
          static_cast<int>(ceil_of(n, config.columns))};
}

std::int64_t beat_cycles(CimBank& bank, const CimWrite& write) {
  std::vector<std::uint8_t> memory(1 << 16);
  auto body = make_cim_write_beat_body(bank);
  return testbench::drive(*body, write, input_stream(bank.config(), write), {},
                          Bytes(memory.data(), memory.size()));
}

TEST(CimTiming, WriteTakesOneCyclePerGranule) {
  for (const int columns : {4, 16, 24}) {
    for (const int port : {3, 8, 64}) {
      for (const int k : {1, 20, 41}) {
        for (const int n : {1, 16, 24, 53}) {
          CimConfig config;
          config.macros = 64;
          config.rows = 20;
          config.columns = columns;
          config.write_bytes_per_cycle = port;
          CimWrite write;
          write.rows = k;
          write.columns = n;
          write.region = region_of(config, k, n);
          write.source_pitch_bytes = n;
          // Every row of every tile, in pieces of the port's width.
          std::int64_t pieces = 0;
          for (int left = n; left > 0; left -= columns)
            pieces += ceil_of(std::min(left, columns), port);
          const std::int64_t expected = 1 + k * pieces + 1;
          CimBank bank(config);
          const std::string what = "columns " + std::to_string(columns) + " port " +
                                   std::to_string(port) + " matrix " + std::to_string(k) + " x " +
                                   std::to_string(n);
          EXPECT_EQ(bank.alone_cycles(write), expected) << what;
          EXPECT_EQ(beat_cycles(bank, write), expected) << what;
        }
      }
    }
  }
}

// Whole blocks of g x g: one after the other, and one more to drain the last.
TEST(CimTiming, TransposedWriteAddsOneBlock) {
  for (const int granule : {4, 16}) {
    for (const int k_blocks : {1, 2, 3}) {
      for (const int n_blocks : {1, 2, 5}) {
        CimConfig config;
        config.macros = 64;
        config.rows = 20;
        config.columns = 16;
        config.write_bytes_per_cycle = granule;
        CimWrite write;
        write.transpose = true;
        write.rows = k_blocks * granule;
        write.columns = n_blocks * granule;
        write.region = region_of(config, write.rows, write.columns);
        write.source_pitch_bytes = write.rows;
        const std::int64_t expected = 1 + (k_blocks * n_blocks + 1) * granule + 1;
        CimBank bank(config);
        EXPECT_EQ(bank.alone_cycles(write), expected);
        EXPECT_EQ(beat_cycles(bank, write), expected)
            << granule << ", " << k_blocks << " x " << n_blocks << " blocks";
      }
    }
  }
}

// One block of k <= g rows per g columns (K of an attention head): columns come
// in one per cycle; the last block waits for the one before it to drain.
TEST(CimTiming, TransposedWriteOfRaggedBlocks) {
  constexpr int kGranule = 16;
  for (const int k : {1, 5, 15, 16}) {
    for (const int n : {1, 15, 16, 17, 30, 47, 48, 49}) {
      CimConfig config;
      config.macros = 64;
      config.rows = 20;
      config.columns = kGranule;
      config.write_bytes_per_cycle = 64;
      CimWrite write;
      write.transpose = true;
      write.rows = k;
      write.columns = n;
      write.region = region_of(config, k, n);
      write.source_pitch_bytes = k;
      const int last = (n - 1) % kGranule + 1;
      const int waits = n > kGranule ? std::max(0, k - last) : 0;
      const std::int64_t expected = 1 + (n + waits + k) + 1;
      CimBank bank(config);
      EXPECT_EQ(bank.alone_cycles(write), expected) << k << " x " << n;
      EXPECT_EQ(beat_cycles(bank, write), expected) << k << " x " << n;
    }
  }
}

TEST(CimTiming, MultiplyTakesOneIntervalPerToken) {
  int compared = 0;
  int limited_by_buffers = 0;
  for (const int tokens : {1, 2, 4, 5, 6, 23}) {
    for (const int bits : {1, 2, 5, 8}) {
      for (const int k : {1, 16, 60, 200}) {
        for (const int n : {1, 30, 64}) {
          for (const int in_port : {4, 32}) {
            for (const int out_port : {8, 128}) {
              CimConfig config;
              config.macros = 64;
              config.rows = 16;
              config.columns = 16;
              config.input_bytes_per_cycle = in_port;
              config.output_bytes_per_cycle = out_port;
              CimWrite write;
              write.rows = k;
              write.columns = n;
              write.region = region_of(config, k, n);
              write.source_pitch_bytes = n;
              CimMultiply multiply;
              multiply.tokens = tokens;
              multiply.rows = k;
              multiply.columns = n;
              multiply.input_bits = bits;
              multiply.region = write.region;
              multiply.source_pitch_bytes = k;
              multiply.destination = 1 << 15;
              multiply.destination_pitch_bytes = 4 * n;
              const std::int64_t in = ceil_of(k, in_port);
              const std::int64_t out = ceil_of(4 * n, out_port);
              // Array 5, then the sums are read.
              const std::int64_t token = bits - 1 + 5 + out;
              // Buffer 1, six levels of the tree over 64 macros in 3, FIFO 2.
              const std::int64_t read = 1 + 3 + 2;
              const std::int64_t interval = std::max({in, std::int64_t{bits}, out});
              std::int64_t others = (tokens - 1) * interval;
              // Four output buffers: token t + 4 starts after token t was read.
              const std::int64_t in_rounds = (tokens - 1) / 4 * token + (tokens - 1) % 4 * interval;
              if (in_rounds > others) {
                others = in_rounds;
                ++limited_by_buffers;
              }
              const std::int64_t expected = 1 + in + token + others + read;
              CimBank bank(config);
              const std::string what = std::to_string(tokens) + " x " + std::to_string(k) + " x " +
                                       std::to_string(n) + ", bits " + std::to_string(bits) +
                                       ", ports " + std::to_string(in_port) + "/" +
                                       std::to_string(out_port);
              ASSERT_EQ(bank.alone_cycles(multiply), expected) << what;
              bank.start(write);
              bank.finish(write);
              std::vector<std::uint8_t> memory(1 << 16);
              auto body = make_cim_multiply_beat_body(bank);
              ASSERT_EQ(testbench::drive(*body, multiply, input_stream(config, multiply),
                                         output_stream(config, multiply),
                                         Bytes(memory.data(), memory.size())),
                        expected)
                  << what;
              ++compared;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 6 * 4 * 4 * 3 * 2 * 2);
  EXPECT_GT(limited_by_buffers, 0);
}

// The read-out's adder tree spans all macros, whatever the command uses.
TEST(CimTiming, ReadOutTakesItsTreesStages) {
  const std::pair<int, int> stages_of_macros[] = {{1, 0},  {2, 1},  {4, 1},  {5, 2},
                                                  {16, 2}, {17, 3}, {64, 3}, {65, 4}};
  for (const auto& [macros, stages] : stages_of_macros) {
    CimConfig config;
    config.macros = macros;
    CimMultiply multiply;
    multiply.tokens = 1;
    multiply.rows = 100;
    multiply.columns = 30;
    multiply.region = {0, 1, 1};
    CimWrite write;
    write.rows = 100;
    write.columns = 30;
    write.region = multiply.region;
    CimBank bank(config);
    bank.start(write);
    bank.finish(write);
    const std::int64_t expected = 1 + 1 + (7 + 5) + 1 + (1 + stages + 2);
    EXPECT_EQ(bank.alone_cycles(multiply), expected) << macros;
    std::vector<std::uint8_t> memory(1 << 10);
    auto body = make_cim_multiply_beat_body(bank);
    EXPECT_EQ(
        testbench::drive(*body, multiply, input_stream(config, multiply),
                         output_stream(config, multiply), Bytes(memory.data(), memory.size())),
        expected)
        << macros;
  }
}

// The default chip pays this for one head of BERT-base at 128 tokens, and for one
// strip of its projections.
TEST(CimTiming, DefaultChipOnBertBase) {
  const CimBank bank{CimConfig{}};
  CimWrite keys;
  keys.rows = 64;
  keys.columns = 128;
  keys.transpose = keys.dynamic = true;
  keys.region = {0, 1, 2};
  EXPECT_EQ(bank.alone_cycles(keys), 1 + 128 + 64 + 1);
  CimMultiply scores;
  scores.tokens = 128;
  scores.rows = 64;
  scores.columns = 128;
  scores.region = {0, 1, 2};
  EXPECT_EQ(bank.alone_cycles(scores), 1 + 1 + (7 + 5 + 4 + 6) + 127 * 8);
  CimMultiply strip;
  strip.tokens = 128;
  strip.rows = 768;
  strip.columns = 256;
  strip.region = {0, 3, 4};
  EXPECT_EQ(bank.alone_cycles(strip), 1 + 6 + (7 + 5 + 8 + 6) + 127 * 8);
}

}  // namespace
}  // namespace quadrille
