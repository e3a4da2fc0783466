// What of an engine's RTL there is to build: the SystemVerilog parameters that a
// chip's keys become, and what the library of that size shows. One description
// drives building, cache key, loading and messages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quadrille::hw {

/// A key of the chip, the parameter of the top module that it becomes, and its value.
struct RtlParameter {
  std::string key;        ///< As a chip file spells it, say "softmax.lanes".
  std::string parameter;  ///< Say "Lanes".
  std::int64_t value = 0;
};

/// Sizes that the RTL does not exist at although the SystemC body does.
struct RtlLimit {
  std::string key;   ///< Of the chip, say "linear.lanes".
  std::string rule;  ///< What the RTL needs, say "4 to 64".
  bool kept = true;
};

/// A module that is generated: a lookup table of model/numerics in SystemVerilog.
struct RtlTable {
  std::string module;
  std::string (*text)(const std::string& module) = nullptr;
};

/// A port with a command and streams of its own, which a waveform's probe counts.
struct RtlPort {
  std::string clock = "clk_i";
  std::string prefix;  ///< Of its pins' names, say "write_".
  bool has_output = true;
};

/// Sources: rtl/prim, rtl/ENGINE and the tables; top module ENGINE_engine; Verilator's
/// waivers in rtl/ENGINE/ENGINE.vlt.
struct RtlDesign {
  std::string engine;
  std::vector<RtlParameter> parameters;
  std::vector<RtlLimit> limits;
  std::vector<RtlTable> tables;
  std::vector<RtlPort> ports = {RtlPort{}};
  std::vector<std::string> more_pins;          ///< Beyond those of the ports.
  std::vector<std::string> verilator_options;  ///< That only this engine needs.
  std::string optimisation = "-O3";            ///< For the compiler of Verilator's C++.

  std::string top() const { return engine + "_engine"; }
};

/// Names of the pins of a port, but its clock (docs/rtl.md).
std::vector<std::string> pins_of(const RtlPort& port);
/// Every pin that the program drives or reads: clocks and reset, ports, more_pins.
std::vector<std::string> pins_of(const RtlDesign& design);

/// "softmax.lanes 4, softmax.max_keys 512"
std::string describe(const std::vector<RtlParameter>& parameters);

}  // namespace quadrille::hw
