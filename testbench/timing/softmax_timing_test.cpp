// The softmax engine's timing contract: one row of latency to fill, then a
// row's codes and its reciprocal per ceil(keys / lanes) + 1 cycles.
#include <gtest/gtest.h>

#include <vector>

#include "hw/engines/softmax/softmax_engine.h"
#include "testbench/common/drive.h"

namespace quadrille {
namespace {

using namespace hw;

TEST(SoftmaxTiming, EqualsTheClosedFormAndTheBeatBody) {
  int compared = 0;
  for (const int lanes : {1, 5, 32, 64}) {
    for (const int queries : {1, 2, 3, 4, 11}) {
      for (const int keys : {1, 2, 31, 32, 33, 100}) {
        for (const bool causal : {false, true}) {
          SoftmaxRows operation;
          operation.queries = queries;
          operation.keys = keys;
          operation.causal = causal;
          operation.source_pitch_bytes = 4 * keys;
          operation.destination = 8192;
          operation.destination_pitch_bytes = keys;
          operation.reciprocals = 16000;
          const std::int64_t row = keys / lanes + (keys % lanes != 0 ? 1 : 0) + 1;
          // A row comes in and has its maximum (3); `queries` rows go through;
          // the way out takes 13.
          const std::int64_t expected = (queries + 1) * row + 2 + 13;
          SoftmaxConfig config;
          config.lanes = lanes;
          EXPECT_EQ(SoftmaxEngine(config).alone_cycles(operation), expected);
          std::vector<std::uint8_t> memory(16384);
          auto body = make_softmax_beat_body(config);
          EXPECT_EQ(testbench::drive(*body, operation, input_stream(config, operation),
                                     output_stream(config, operation),
                                     Bytes(memory.data(), memory.size())),
                    expected)
              << lanes << " lanes, " << queries << " x " << keys << ", causal " << causal;
          ++compared;
        }
      }
    }
  }
  EXPECT_EQ(compared, 4 * 5 * 6 * 2);
}

}  // namespace
}  // namespace quadrille
