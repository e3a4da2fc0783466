// Entry point of every test program: libsystemc owns main() and calls sc_main.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <systemc>

#include "testbench/common/environment.h"

namespace {

/// SystemC only prints a warning and goes on: here it fails the running test.
/// An error throws as well, so that the test ends where it was found.
void fail_on_report(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  if (report.get_severity() >= sc_core::SC_WARNING)
    ADD_FAILURE() << "SystemC reports: " << report.what();
  sc_core::sc_report_handler::default_handler(report, actions);
}

}  // namespace

int sc_main(int argc, char* argv[]) {
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_handler(fail_on_report);
  testing::InitGoogleTest(&argc, argv);
  const std::vector<std::string> faults = quadrille::testbench::environment_faults();
  for (const std::string& fault : faults) fmt::print(stderr, "{}\n", fault);
  if (!faults.empty() && !GTEST_FLAG_GET(list_tests)) return 2;
  return RUN_ALL_TESTS();
}
