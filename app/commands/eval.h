// `quadrille eval`: one operator on the user's tensors, at one level or all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quadrille::app {

struct EvalOptions {
  std::string operation;
  std::string level;
  std::string input;
  std::string output;
  std::string chip = "default";
  std::vector<std::string> settings;  ///< KEY=VALUE
  bool allow_missing_rtl = false;     ///< With level all: RTL that is not built is no failure.
  std::string waves;                  ///< FST file of the RTL; "": none.
  std::string waves_cycles;           ///< FROM:TO; "": around a difference, or all.
};

/// Words of --level.
const std::vector<std::string>& eval_levels();

int eval_command(const EvalOptions& options);

}  // namespace quadrille::app
