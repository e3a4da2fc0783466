#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

/// What `quadrille list` takes: "workloads", "chips", ...
const std::vector<std::string>& list_kinds();

/// `quadrille list [KIND]`: names and a line on each, from the files themselves. InputError
/// for a kind that is none.
int list_command(const std::string& kind);

}  // namespace quadrille::app
