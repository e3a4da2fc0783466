// `quadrille eval`: one operator on the user's tensors, at one level or all.
#pragma once

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
};

/// Words of --level.
const std::vector<std::string>& eval_levels();

int eval_command(const EvalOptions& options);

}  // namespace quadrille::app
