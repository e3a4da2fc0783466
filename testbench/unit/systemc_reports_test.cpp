// Question: does what SystemC complains about fail the test that caused it?
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <systemc>

#include "hw/simulation_context.h"

namespace quadrille {
namespace {

TEST(SystemcReports, AWarningFailsTheTest) {
  EXPECT_NONFATAL_FAILURE(SC_REPORT_WARNING("kind", "what the model said"), "what the model said");
}

TEST(SystemcReports, AnErrorFailsTheTestAndThrows) {
  EXPECT_NONFATAL_FAILURE(EXPECT_THROW(SC_REPORT_ERROR("kind", "broken"), sc_core::sc_report),
                          "broken");
}

// The kernel's own complaint, not one made for the test.
TEST(SystemcReports, TwoObjectsOfOneNameFailTheTest) {
  EXPECT_NONFATAL_FAILURE(
      {
        const hw::SimulationContext context;
        const sc_core::sc_event first("same");
        const sc_core::sc_event second("same");
      },
      "same");
}

TEST(SystemcReports, InformationDoesNot) { SC_REPORT_INFO("kind", "nothing wrong"); }

}  // namespace
}  // namespace quadrille
