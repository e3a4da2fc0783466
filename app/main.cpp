// Entry point. SystemC's own main() prints a banner on standard error, where
// only our one line may stand; so ours takes its place and silences it.
#include <cstdlib>
#include <systemc>

#include "app/commands/command_line.h"

int sc_main(int argc, char* argv[]) {
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  // The kernel warns of what the model should not do, and goes on: here it does not.
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_THROW);
  return quadrille::app::run_command_line(argc, argv);
}

int main(int argc, char* argv[]) {
  ::setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  return sc_core::sc_elab_and_sim(argc, argv);
}
