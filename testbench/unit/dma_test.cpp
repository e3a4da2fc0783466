// Question: do copies fall into bursts, words and slices as the closed form says?
// A byte-by-byte count answers. (Cycles: testbench/timing; bytes:
// testbench/system.)
#include "hw/memory/dma.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "testbench/common/portable_random.h"

namespace quadrille::hw {
namespace {

constexpr std::int64_t kBurst = 64;

struct Counted {
  std::int64_t bursts = 0;
  AccessCounts scratchpad;
};

// Byte by byte: a new burst when the DRAM's burst changes (or a gap), a new
// access when the burst, the word or the row changes.
Counted count_bytes(const DmaCopy& copy, std::int64_t word) {
  Counted counted;
  std::int64_t burst = -1;
  std::int64_t last_dram = -2;
  std::int64_t last_pad = -2;
  std::set<std::int64_t> slices;
  for (std::int64_t row = 0; row < copy.rows; ++row) {
    for (std::int64_t i = 0; i < copy.row_bytes; ++i) {
      const auto dram =
          static_cast<std::int64_t>(copy.dram_address) + row * copy.dram_pitch_bytes + i;
      const auto pad = static_cast<std::int64_t>(copy.scratchpad_address) +
                       row * copy.scratchpad_pitch_bytes + i;
      const bool new_burst = dram / kBurst != burst || (i == 0 && dram != last_dram + 1);
      const bool new_access = new_burst || i == 0 || pad / word != last_pad / word;
      if (new_burst) ++counted.bursts;
      if (new_access) {
        ++counted.scratchpad.accesses;
        counted.scratchpad.slices += static_cast<std::int64_t>(slices.size());
        slices.clear();
      }
      slices.insert(pad / kSliceBytes);
      ++counted.scratchpad.bytes;
      burst = dram / kBurst;
      last_dram = dram;
      last_pad = pad;
    }
  }
  counted.scratchpad.slices += static_cast<std::int64_t>(slices.size());
  return counted;
}

TEST(DmaFootprint, EqualsACountByteByByte) {
  std::mt19937_64 random(17);
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  for (int round = 0; round < 500; ++round) {
    const std::int64_t word = 16 << pick(0, 4);
    DmaCopy copy;
    const int grain = round % 3 == 0 ? 1 : (round % 3 == 1 ? 16 : 64);
    copy.rows = pick(1, 9);
    copy.row_bytes = grain * pick(1, 300 / grain);
    copy.dram_address = static_cast<std::uint64_t>(grain * pick(0, 50));
    copy.scratchpad_address = static_cast<std::uint64_t>(grain * pick(0, 50));
    copy.dram_pitch_bytes = copy.row_bytes + (pick(0, 1) != 0 ? 64 * pick(1, 4) : 0);
    copy.scratchpad_pitch_bytes = copy.row_bytes + grain * pick(0, 3);
    const DmaFootprint footprint = dma_footprint(copy, kBurst, word);
    const Counted counted = count_bytes(copy, word);
    ASSERT_EQ(footprint.bursts, counted.bursts) << "round " << round;
    ASSERT_EQ(footprint.scratchpad, counted.scratchpad) << "round " << round;
    ASSERT_EQ(footprint.padding_bytes, counted.bursts * kBurst - copy.rows * copy.row_bytes);

    std::int64_t bursts = 0;
    std::int64_t pieces = 0;
    std::int64_t most = 0;
    for (BurstCursor burst(copy, kBurst, word); !burst.done(); burst.advance()) {
      const std::int64_t own = burst.pieces(burst.position(), burst.position() + burst.bytes());
      pieces += own;
      most = std::max(most, own);
      ++bursts;
    }
    ASSERT_EQ(bursts, counted.bursts) << "round " << round;
    ASSERT_EQ(pieces, counted.scratchpad.accesses) << "round " << round;
    ASSERT_LE(most, footprint.most_pieces) << "round " << round;
  }
}

TEST(DmaFootprint, RowsOfOneRunShareTheirBursts) {
  DmaCopy copy;
  copy.rows = 8;
  copy.row_bytes = 16;
  copy.dram_pitch_bytes = 16;
  copy.scratchpad_pitch_bytes = 256;
  EXPECT_EQ(dma_footprint(copy, kBurst, 128).bursts, 2);
  EXPECT_EQ(dma_footprint(copy, kBurst, 128).padding_bytes, 0);
  copy.dram_pitch_bytes = 64;
  EXPECT_EQ(dma_footprint(copy, kBurst, 128).bursts, 8);
  EXPECT_EQ(dma_footprint(copy, kBurst, 128).padding_bytes, 8 * 48);
}

TEST(DmaFootprint, OfNothingIsNothing) {
  DmaCopy copy;
  EXPECT_EQ(dma_footprint(copy, kBurst, 128).bursts, 0);
  EXPECT_EQ(dma_footprint(copy, kBurst, 128).padding_bytes, 0);
}

}  // namespace
}  // namespace quadrille::hw
