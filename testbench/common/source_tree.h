// Where the checkout and the built program are. The paths stand in one object file,
// so that two checkouts compile every other file alike and share a compiler cache.
#pragma once

#include <string>

namespace quadrille::testbench {

/// The checkout's folder, without a slash at its end.
const std::string& source_folder();

/// `relative` in the checkout, say "chips/small.yaml".
inline std::string source_path(const std::string& relative) {
  return source_folder() + "/" + relative;
}

/// The program `quadrille` of this build.
const std::string& program_path();

}  // namespace quadrille::testbench
