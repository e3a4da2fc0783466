// Which body of each engine runs: --impl ENGINE=systemc|rtl.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "hw/sequencer/program.h"

namespace quadrille::app {

struct Implementation {
  std::set<std::string> rtl;  ///< Names of the engines in RTL; the others are SystemC.

  bool any_rtl() const { return !rtl.empty(); }
  /// These are the names in the order of hw::engines().
  std::vector<std::string> rtl_engines() const;
};

/// From "ENGINE=systemc" and "ENGINE=rtl" words, ENGINE perhaps "all" for every engine
/// that exists in RTL; of two about one engine the last
/// holds. InputError for an unknown engine or body and for an engine without RTL.
Implementation parse_implementation(const std::vector<std::string>& assignments);

/// Every engine that the program uses in RTL, but those that exist in SystemC only.
Implementation all_in_rtl(const hw::Program& program);

/// Names of the engines of `implementation` in RTL that the program has commands
/// for (`used`), or has not.
std::vector<std::string> rtl_engines_of(const Implementation& implementation,
                                        const hw::Program& program, bool used);

}  // namespace quadrille::app
