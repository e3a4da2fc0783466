// The files that an engine's RTL is made of, and what has to be written beside them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hw/engines/rtl/rtl_design.h"

namespace quadrille::app {

struct RtlSources {
  std::vector<std::string> waivers;              ///< Verilator's configuration files.
  std::vector<std::string> modules;              ///< Paths of the *.sv that are there.
  std::map<std::string, std::string> generated;  ///< Tables: file name to text.
  std::string interface;                         ///< Folder of rtl/interface.
};

/// The files of `design` below `root`/rtl. InputError when a folder is not there.
RtlSources rtl_sources(const hw::RtlDesign& design, const std::string& root);

/// The text of a module that binds a probe to every port of the design
/// (rtl/interface/quadrille_probe.sv).
std::string bind_probes(const hw::RtlDesign& design);

/// engine_pins.h, which rtl/interface/quadrille_rtl.cpp includes.
std::string engine_pins_header(const hw::RtlDesign& design, const std::string& key, bool waves);

}  // namespace quadrille::app
