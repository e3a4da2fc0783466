// The vector unit's timing contract: rows of beats in, a pipeline behind.
#include <gtest/gtest.h>

#include <vector>

#include "hw/engines/vector/vector_engine.h"
#include "testbench/common/drive.h"

namespace quadrille {
namespace {

using namespace hw;

TEST(VectorTiming, EqualsTheClosedFormAndTheBeatBody) {
  int compared = 0;
  for (const int lanes : {1, 5, 32, 64}) {
    for (const int rows : {1, 2, 7}) {
      for (const int columns : {1, 31, 32, 33, 100}) {
        for (const bool normalise : {false, true}) {
          for (const bool wide_in : {false, true}) {
            VectorRequantise operation;
            operation.rows = rows;
            operation.columns = columns;
            operation.normalise = normalise;
            operation.fraction_bits = 0;
            operation.from = wide_in ? VectorSource::kSums32 : VectorSource::kCodes8;
            operation.source_pitch_bytes = operation.destination_pitch_bytes = 4 * columns;
            operation.destination = operation.reciprocals = 4096;
            // Command, rows of ceil(columns / lanes) beats after a reciprocal
            // each, five stages, and the cycle of command_ready.
            const std::int64_t beats = columns / lanes + (columns % lanes != 0 ? 1 : 0);
            const std::int64_t expected = 1 + rows * (beats + (normalise ? 1 : 0)) + 5;
            EXPECT_EQ(VectorEngine(VectorConfig{lanes}).alone_cycles(operation), expected);
            std::vector<std::uint8_t> memory(8192);
            auto body = make_vector_beat_body(VectorConfig{lanes});
            EXPECT_EQ(
                testbench::drive(*body, operation, input_stream(VectorConfig{lanes}, operation),
                                 output_stream(VectorConfig{lanes}, operation),
                                 Bytes(memory.data(), memory.size())),
                expected)
                << lanes << " lanes, " << rows << " x " << columns << ", normalise " << normalise;
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 4 * 3 * 5 * 2 * 2);
}

}  // namespace
}  // namespace quadrille
