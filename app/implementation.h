// Which body of each engine runs: --impl ENGINE=systemc|rtl.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

/// The engines' names, everywhere.
inline const std::vector<std::string> kEngines = {"cim",      "softmax", "damf",
                                                  "sinkhorn", "linear",  "vector"};

struct Implementation {
  bool damf_rtl = false;

  bool any_rtl() const { return damf_rtl; }
  /// Names of the engines in RTL.
  std::vector<std::string> rtl_engines() const;
};

/// From "ENGINE=systemc" and "ENGINE=rtl" words. InputError for an unknown
/// engine or body and for an engine that does not exist or has no RTL yet.
Implementation parse_implementation(const std::vector<std::string>& assignments);

}  // namespace quadrille::app
