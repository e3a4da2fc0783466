// A SystemC kernel of its own, so that one process can simulate many chips.
#pragma once

namespace sc_core {
class sc_simcontext;
}

namespace quadrille::hw {

/// While it lives, SystemC objects belong to a fresh kernel at time zero. Make
/// it before the chip and let it outlive the chip; contexts nest like scopes.
/// The kernel itself is never freed (libsystemc crashes on it): about 12 KiB
/// and 35 microseconds per run. One thread only: the current kernel is a global.
class SimulationContext {
 public:
  SimulationContext();
  ~SimulationContext();
  SimulationContext(const SimulationContext&) = delete;
  SimulationContext& operator=(const SimulationContext&) = delete;

 private:
  sc_core::sc_simcontext* previous_;
};

}  // namespace quadrille::hw
