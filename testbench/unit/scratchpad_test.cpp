// The scratchpad, its bank arbiter and its stream ports.
#include "hw/memory/scratchpad.h"

#include <gtest/gtest.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <random>

#include "hw/memory/stream_port.h"
#include "hw/simulation_context.h"
#include "testbench/common/portable_random.h"

namespace quadrille::hw {
namespace {

ScratchpadConfig small() {
  ScratchpadConfig config;
  config.capacity_bytes = 4096;
  config.banks = 4;
  config.word_bytes = 32;
  return config;
}

class ScratchpadTest : public testing::Test {
 protected:
  ScratchpadTest() : config(small()), pad("pad", config, Clock(500e6), true) {
    for (std::uint64_t i = 0; i < 4096; ++i) {
      *pad.bytes().at(i, 1) = static_cast<std::uint8_t>(i * 5 + i / 256);
    }
  }
  std::uint8_t byte(std::uint64_t address) { return *pad.bytes().at(address, 1); }

  SimulationContext context;
  ScratchpadConfig config;
  Scratchpad pad;
};

TEST_F(ScratchpadTest, CountsBytesWordsAndSlices) {
  pad.access(false, 6, 4);
  pad.access(false, 14, 4);  // Two slices of one word.
  pad.access(true, 32, 96);  // Three whole words.
  EXPECT_EQ(pad.counts().read.bytes, 8);
  EXPECT_EQ(pad.counts().read.accesses, 2);
  EXPECT_EQ(pad.counts().read.slices, 3);
  EXPECT_EQ(pad.counts().write.accesses, 3);
  EXPECT_EQ(pad.counts().write.slices, 6);
}

TEST_F(ScratchpadTest, RefusesAccessesBeyondItsEndAndAcrossWords) {
  EXPECT_THROW(pad.access(false, 4096, 1), InvariantError);
  EXPECT_THROW(pad.access(true, 4080, 32), InvariantError);
  EXPECT_THROW(pad.access(true, 16, 32), InvariantError);
  EXPECT_THROW(pad.check(0, 4097), InvariantError);
  EXPECT_NO_THROW(pad.access(true, 4064, 32));
}

// A beat lies in one word, or on whole words from a word's begin on: looked up beat by
// beat, against the closed form.
bool has_straddling_beat(const Stream& stream, std::uint64_t word_bytes) {
  for (StreamCursor beat(stream); !beat.done(); beat.advance()) {
    const std::uint64_t offset = beat.address() % word_bytes;
    if (offset != 0 && offset + static_cast<std::uint64_t>(beat.bytes()) > word_bytes) return true;
  }
  return false;
}

TEST(Streams, StraddlingBeatsAreFoundInClosedForm) {
  std::mt19937 random(23);
  const auto pick = [&random](int least, int most) {
    return least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1));
  };
  int straddling = 0;
  constexpr int kSegments = 20000;
  for (int i = 0; i < kSegments; ++i) {
    // Half of the addresses and pitches are multiples of the beat, as a planner's are.
    StreamSegment segment;
    const bool aligned = pick(0, 1) == 0;
    const int unit = aligned ? 1 << pick(0, 6) : 1;
    segment.beat_bytes = aligned ? unit : pick(1, 64);
    segment.last_beat_bytes = pick(1, segment.beat_bytes);
    segment.inner_count = pick(0, 12);
    segment.inner_stride_bytes = pick(0, 2) != 0 ? segment.beat_bytes : unit * pick(1, 80);
    segment.outer_count = pick(0, 12);
    segment.outer_stride_bytes = unit * pick(0, 90);
    segment.address = static_cast<std::uint64_t>(unit * pick(0, 100));
    const std::int64_t word_bytes = std::int64_t{16} << pick(0, 2);
    const auto found = straddling_beat(segment, word_bytes);
    const bool expected = has_straddling_beat({segment}, static_cast<std::uint64_t>(word_bytes));
    ASSERT_EQ(found.has_value(), expected)
        << "segment " << i << ": address " << segment.address << ", " << segment.inner_count
        << " beats of " << segment.beat_bytes << " (last " << segment.last_beat_bytes << ") every "
        << segment.inner_stride_bytes << ", " << segment.outer_count << " rows every "
        << segment.outer_stride_bytes << ", words of " << word_bytes;
    straddling += expected ? 1 : 0;
  }
  EXPECT_GT(straddling, kSegments / 10);
  EXPECT_LT(straddling, kSegments * 9 / 10);
}

struct Master : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Master> socket;
  explicit Master(sc_core::sc_module_name name) : sc_core::sc_module(name), socket("socket") {}
};

TEST_F(ScratchpadTest, MastersOutsideReadAndWriteApart) {
  Master master("master");
  master.socket.bind(pad.socket);
  std::uint8_t bytes[40] = {};
  tlm::tlm_generic_payload payload;
  payload.set_command(tlm::TLM_READ_COMMAND);
  payload.set_address(30);
  payload.set_data_ptr(bytes);
  payload.set_data_length(40);
  payload.set_streaming_width(40);
  payload.set_byte_enable_ptr(nullptr);
  sc_core::sc_time delay;
  master.socket->b_transport(payload, delay);
  EXPECT_TRUE(payload.is_response_ok());
  for (std::uint64_t i = 0; i < 40; ++i) EXPECT_EQ(bytes[i], byte(30 + i));
  // 30..69 lie in words 0, 1 and 2: one cycle each, and the latency of 2.
  EXPECT_EQ(Clock(500e6).cycles(delay), 3 + 2);
  EXPECT_EQ(pad.counts().external_read.accesses, 3);
  EXPECT_EQ(pad.counts().read.accesses, 0);
  payload.set_address(4090);
  master.socket->b_transport(payload, delay);
  EXPECT_EQ(payload.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

TEST_F(ScratchpadTest, ClosedFormOfAccessesEqualsTheWalk) {
  std::mt19937_64 random(3);
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  for (int round = 0; round < 300; ++round) {
    const int beat = 1 << pick(0, 6);
    Stream stream;
    for (int segments = pick(1, 3); segments > 0; --segments) {
      StreamSegment segment = matrix_rows(static_cast<std::uint64_t>(64 * pick(0, 3)), pick(1, 40),
                                          pick(1, 200), 0, beat);
      segment.outer_stride_bytes = beat * pick(0, 30);
      if (round % 4 == 0) segment.inner_stride_bytes = 64;  // Beats apart.
      stream.push_back(segment);
    }
    AccessCounts walked;
    for (AccessCursor access(stream, 32); !access.done(); access.advance()) {
      const std::int64_t bytes = access.bytes();
      walked.bytes += bytes;
      walked.accesses += (bytes + 31) / 32;
      walked.slices += slices_of(access.address(), bytes);
    }
    ASSERT_EQ(stream_accesses(stream, 32), walked) << "round " << round;
    ASSERT_EQ(walked.bytes, stream_bytes(stream)) << "round " << round;
  }
}

TEST(BankArbiter, OneAccessPerBankAndCycleAndNobodyStarves) {
  const std::vector<PortClass> ports{PortClass::kReader, PortClass::kReader, PortClass::kWriter,
                                     PortClass::kDma};
  BankArbiter arbiter(small(), ports);
  std::vector<int> served(ports.size(), 0);
  std::int64_t lost = 0;
  for (std::int64_t cycle = 0; cycle < 160; ++cycle) {
    arbiter.clear();
    int granted = 0;
    for (int port = 0; port < 4; ++port) arbiter.request(port, {port == 2, 128, 8});
    arbiter.arbitrate(cycle);
    for (int port = 0; port < 4; ++port) {
      if (!arbiter.granted(port)) continue;
      ++served[static_cast<std::size_t>(port)];
      ++granted;
    }
    ASSERT_EQ(granted, 1);
    lost += 3;
  }
  // Bank 0 (word 4 of 4 banks). Readers share by turns; the others get the
  // turned cycles, every 15th.
  EXPECT_EQ(arbiter.conflicts(0), lost);
  EXPECT_EQ(arbiter.conflicts(1), 0);
  EXPECT_NEAR(served[0], served[1], 1);
  EXPECT_EQ(served[3], 10);
}

TEST(BankArbiter, WideAccessesTakeTheirBanksTogether) {
  BankArbiter arbiter(small(), {PortClass::kReader, PortClass::kWriter, PortClass::kDma});
  arbiter.clear();
  arbiter.request(0, {false, 96, 64});  // Banks 3 and 0.
  arbiter.request(1, {true, 0, 32});    // Bank 0.
  arbiter.request(2, {true, 32, 32});   // Bank 1.
  arbiter.arbitrate(0);
  EXPECT_TRUE(arbiter.granted(0));
  EXPECT_FALSE(arbiter.granted(1));
  EXPECT_TRUE(arbiter.granted(2));
  EXPECT_EQ(arbiter.conflicts(0), 1);
}

// A stream of 8-byte beats over 32-byte words, taken as soon as possible.
TEST_F(ScratchpadTest, ReaderDeliversOneBeatPerCycleAfterItsLatency) {
  const Stream stream{matrix_rows(8, 3, 40, 128, 8)};
  StreamReader reader(config, true);
  reader.start(&stream, 10);
  StreamCursor expected(stream);
  std::int64_t first = -1;
  std::int64_t last = -1;
  int granted = 0;
  for (std::int64_t cycle = 10; cycle < 60; ++cycle) {
    PortRequest request;
    const bool wanted = reader.request(cycle, request);
    granted += wanted ? 1 : 0;
    const Beat* beat = reader.front(cycle);
    if (beat != nullptr) {
      ASSERT_EQ(beat->size, expected.bytes());
      for (int i = 0; i < Beat::kBytes; ++i) {
        const int want = i < 8 ? byte(expected.address() + static_cast<std::uint64_t>(i)) : 0;
        ASSERT_EQ(beat->bytes[static_cast<std::size_t>(i)], want) << "cycle " << cycle;
      }
      if (first < 0) first = cycle;
      last = cycle;
      expected.advance();
    }
    reader.step(cycle, wanted, beat != nullptr, pad);
  }
  EXPECT_TRUE(reader.drained());
  EXPECT_EQ(first, 10 + 1 + 2);
  EXPECT_EQ(last, first + 15 - 1);
  EXPECT_EQ(granted, 3 * 2);  // Bytes 8..47 of each row lie in two words.
}

TEST_F(ScratchpadTest, ReaderStopsAtItsCredits) {
  const Stream stream{matrix_rows(0, 1, 1024, 0, 32)};
  StreamReader reader(config, true);
  reader.start(&stream, 0);
  int granted = 0;
  for (std::int64_t cycle = 0; cycle < 40; ++cycle) {
    PortRequest request;
    const bool wanted = reader.request(cycle, request);
    granted += wanted ? 1 : 0;
    reader.step(cycle, wanted, false, pad);
  }
  EXPECT_EQ(granted, config.reader_fifo_words);
}

TEST_F(ScratchpadTest, WriterGathersWordsAndStoresThem) {
  const Stream stream{matrix_rows(8, 2, 40, 128, 8)};
  StreamWriter writer(config, true);
  writer.start(&stream);
  int granted = 0;
  int pushed = 0;
  std::int64_t drained = -1;
  for (std::int64_t cycle = 0; cycle < 40; ++cycle) {
    PortRequest request;
    const bool wanted = writer.request(request);
    granted += wanted ? 1 : 0;
    Beat beat;
    beat.size = 8;
    beat.bytes.fill(static_cast<std::uint8_t>(100 + pushed));
    const bool push = pushed < 10 && writer.ready();
    writer.step(wanted, push ? &beat : nullptr, pad);
    pushed += push ? 1 : 0;
    if (drained < 0 && writer.drained()) drained = cycle;
  }
  EXPECT_EQ(pushed, 10);
  EXPECT_EQ(granted, 4);
  EXPECT_EQ(drained, 9 + 1);  // The last beat goes in cycle 9, its word in 10.
  for (std::uint64_t i = 0; i < 40; ++i) {
    EXPECT_EQ(byte(8 + i), 100 + i / 8);
    EXPECT_EQ(byte(136 + i), 105 + i / 8);
  }
}

TEST_F(ScratchpadTest, WriterRefusesBeatsThatTheStreamDoesNotList) {
  const Stream stream{matrix_rows(0, 1, 8, 0, 8)};
  StreamWriter writer(config, true);
  writer.start(&stream);
  Beat beat;
  beat.size = 4;
  EXPECT_THROW(writer.step(false, &beat, pad), InvariantError);
  beat.size = 8;
  writer.step(false, &beat, pad);
  EXPECT_THROW(writer.step(false, &beat, pad), InvariantError);
}

TEST_F(ScratchpadTest, BeatsThatStraddleWordsAreRefused) {
  const Stream stream{matrix_rows(28, 1, 8, 0, 8)};
  StreamReader reader(config, true);
  reader.start(&stream, 0);
  EXPECT_THROW(reader.step(1, true, false, pad), InvariantError);
}

}  // namespace
}  // namespace quadrille::hw
