#include "hw/simulation_context.h"

#include <systemc>

namespace quadrille::hw {

SimulationContext::SimulationContext() : previous_(sc_core::sc_curr_simcontext) {
  sc_core::sc_curr_simcontext = new sc_core::sc_simcontext;
  sc_core::sc_default_global_context = sc_core::sc_curr_simcontext;
}

SimulationContext::~SimulationContext() {
  sc_core::sc_curr_simcontext = previous_;
  sc_core::sc_default_global_context = previous_;
}

}  // namespace quadrille::hw
