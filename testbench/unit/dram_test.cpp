// The DRAM as a TLM-2.0 target: bytes, counters, answers to bad accesses.
#include "hw/memory/dram.h"

#include <gtest/gtest.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstring>

#include "hw/simulation_context.h"

namespace quadrille::hw {
namespace {

struct Master : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Master> socket;
  explicit Master(sc_core::sc_module_name name) : sc_core::sc_module(name), socket("socket") {}

  // Returns the cycles from the issue to the last data.
  std::int64_t access(const Clock& clock, bool read, std::uint64_t address, std::uint8_t* data,
                      unsigned length, std::int64_t issue = 0) {
    payload.set_command(read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(data);
    payload.set_data_length(length);
    payload.set_streaming_width(length);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_core::sc_time delay = clock.time(issue);
    socket->b_transport(payload, delay);
    return clock.cycles(delay);
  }
  tlm::tlm_generic_payload payload;
};

class DramTest : public testing::Test {
 protected:
  explicit DramTest(bool data = true)
      : clock(500e6),
        dram("dram", dram_device({}, 500e6), DramConfig{}.capacity_bytes, clock, data),
        master("master") {
    master.socket.bind(dram.socket);
  }
  SimulationContext context;
  Clock clock;
  Dram dram;
  Master master;
};

TEST_F(DramTest, KeepsBytesAndIsZeroBefore) {
  std::uint8_t out[100];
  std::uint8_t in[100];
  std::memset(in, 0xAA, sizeof in);
  master.access(clock, true, 999, in, 100);
  for (const std::uint8_t byte : in) ASSERT_EQ(byte, 0);
  for (int i = 0; i < 100; ++i) out[i] = static_cast<std::uint8_t>(i + 1);
  master.access(clock, false, 999, out, 100);
  master.access(clock, true, 999, in, 100);
  EXPECT_EQ(std::memcmp(in, out, 100), 0);
  EXPECT_EQ(*dram.bytes().at(999, 1), 1);
}

TEST_F(DramTest, CountsWholeBurstsAndRows) {
  std::uint8_t bytes[200] = {};
  // 130 bytes from 60 on touch bursts 0, 1 and 2 of row 0.
  EXPECT_EQ(master.access(clock, true, 60, bytes, 130, 5), 5 + 24 + 12 + 3 * 3);
  EXPECT_EQ(dram.counts().read_bytes, 3 * 64);
  EXPECT_EQ(dram.counts().read_bursts, 3);
  EXPECT_EQ(dram.counts().row_misses, 1);
  EXPECT_EQ(dram.counts().row_hits, 2);
  master.access(clock, false, 2048, bytes, 64, 100);
  EXPECT_EQ(dram.counts().write_bytes, 64);
  EXPECT_EQ(dram.counts().row_misses, 2);
  // Row 0 is still open in its own bank.
  EXPECT_EQ(master.access(clock, true, 0, bytes, 64, 1000), 1000 + 12 + 3);
}

TEST_F(DramTest, RefusesWhatItCannotDo) {
  std::uint8_t bytes[64] = {};
  master.access(clock, true, std::uint64_t{1} << 30, bytes, 1);
  EXPECT_EQ(master.payload.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  master.access(clock, true, (std::uint64_t{1} << 30) - 63, bytes, 64);
  EXPECT_EQ(master.payload.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(dram.counts().read_bytes, 0);
  std::uint8_t enable[64] = {};
  master.payload.set_byte_enable_ptr(enable);
  master.access(clock, true, 0, bytes, 64);
  EXPECT_EQ(master.payload.get_response_status(), tlm::TLM_GENERIC_ERROR_RESPONSE);
}

TEST_F(DramTest, GivesDirectMemory) {
  tlm::tlm_generic_payload request;
  tlm::tlm_dmi dmi;
  ASSERT_TRUE(master.socket->get_direct_mem_ptr(request, dmi));
  EXPECT_EQ(dmi.get_end_address(), (std::uint64_t{1} << 30) - 1);
  dmi.get_dmi_ptr()[123] = 7;
  EXPECT_EQ(*dram.bytes().at(123, 1), 7);
}

class DramWithoutData : public DramTest {
 protected:
  DramWithoutData() : DramTest(false) {}
};

TEST_F(DramWithoutData, TimesAndCountsButHoldsNoBytes) {
  std::uint8_t bytes[64] = {};
  EXPECT_EQ(master.access(clock, true, 0, bytes, 64), 24 + 12 + 3);
  EXPECT_EQ(dram.counts().read_bytes, 64);
  EXPECT_THROW(dram.bytes(), InvariantError);
  tlm::tlm_generic_payload request;
  tlm::tlm_dmi dmi;
  EXPECT_FALSE(master.socket->get_direct_mem_ptr(request, dmi));
}

}  // namespace
}  // namespace quadrille::hw
