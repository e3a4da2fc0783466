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
  std::string waves;                  ///< FST file of a difference in RTL; "": none.
  std::int64_t waves_cycles = 200;    ///< Before and after it.
};

/// Words of --level.
const std::vector<std::string>& eval_levels();

int eval_command(const EvalOptions& options);

}  // namespace quadrille::app
