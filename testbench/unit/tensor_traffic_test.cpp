// Question: do the bytes of a program land at the tensors that they carry, worked out by hand?
#include "hw/tensor_traffic.h"

#include <gtest/gtest.h>

#include <map>

namespace quadrille::hw {
namespace {

DmaCopy fetch(std::uint64_t from, std::uint64_t to, std::int64_t bytes) {
  return {true, from, bytes, to, bytes, 1, bytes};
}

CimWrite write_from(std::uint64_t source, int rows, int columns) {
  CimWrite write;
  write.source = source;
  write.source_pitch_bytes = columns;
  write.rows = rows;
  write.columns = columns;
  return write;
}

/// Two tensors of 64 bytes in the DRAM, one node.
class TensorTraffics : public testing::Test {
 protected:
  TensorTraffics() {
    mapping_.tensors = {{"w", 8, 8, 1, model::Role::kWeight, {{0, 8, 0, 8, 0, 8}}},
                        {"x", 8, 8, 1, model::Role::kInput, {{128, 8, 0, 8, 0, 8}}}};
    mapping_.program.nodes = {{"project", "layer"}};
  }

  /// A command that reads `read` and writes `written` bytes of the scratchpad.
  void add(Operation operation, std::int64_t read, std::int64_t written) {
    mapping_.program.commands.push_back({std::move(operation), {}, 0, "", -1});
    CommandRecord record;
    record.traffic.sram_read.bytes = read;
    record.traffic.sram_write.bytes = written;
    records_.push_back(record);
  }

  /// Bytes read and written of the scratchpad, by row.
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> rows() const {
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> found;
    for (const TensorTraffic& row : tensor_traffic(mapping_, records_))
      found[row.name] = {row.traffic.sram_read.bytes, row.traffic.sram_write.bytes};
    return found;
  }

  using Rows = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;
  Mapping mapping_;
  std::vector<CommandRecord> records_;
};

TEST_F(TensorTraffics, ReadsAreOfTheTensorThatWasCopiedThere) {
  add(fetch(0, 1000, 64), 0, 64);
  add(fetch(128 + 32, 1064, 32), 0, 32);
  add(write_from(1000, 8, 8), 64, 0);
  EXPECT_EQ(rows(), (Rows{{"w", {64, 64}}, {"x", {0, 32}}}));
}

TEST_F(TensorTraffics, WhatWasOverwrittenIsNoLongerTheTensor) {
  add(fetch(0, 1000, 64), 0, 64);
  add(fetch(128, 1032, 8), 0, 8);
  add(write_from(1000, 8, 8), 64, 0);  // Parts of both: neither's.
  add(write_from(1000, 4, 8), 32, 0);
  add(write_from(1032, 1, 8), 8, 0);
  add(write_from(1040, 3, 8), 24, 0);
  EXPECT_EQ(rows(), (Rows{{"w", {32 + 24, 64}}, {"x", {8, 8}}, {"project", {64, 0}}}));
}

TEST_F(TensorTraffics, WhatAnEngineMadeIsTheNodes) {
  add(fetch(128, 1000, 64), 0, 64);
  add(fetch(0, 2000, 64), 0, 64);  // The sums take its place.
  CimMultiply multiply;
  multiply.source = 1000;
  multiply.source_pitch_bytes = multiply.rows = 8;
  multiply.tokens = 8;
  multiply.destination = 2000;
  multiply.columns = 8;
  multiply.destination_pitch_bytes = 32;
  add(multiply, 64, 256);
  add(write_from(2000, 8, 8), 64, 0);
  EXPECT_EQ(rows(), (Rows{{"w", {0, 64}}, {"x", {64, 64}}, {"project", {64, 256}}}));
}

TEST_F(TensorTraffics, ACopyOfBytesThatNobodyOwnsIsRefused) {
  mapping_.tensors.erase(mapping_.tensors.begin());
  add(fetch(0, 1000, 64), 0, 64);
  EXPECT_THROW(rows(), InvariantError);
}

}  // namespace
}  // namespace quadrille::hw
