// The two ways a run may end badly, with the exit codes of the command line.
#pragma once

#include <stdexcept>
#include <string>

namespace quadrille {

/// The input is at fault (exit code 2). `what()` is one line that names the
/// file, the place in it and what was expected there: "FILE: PLACE: EXPECTATION".
class InputError : public std::runtime_error {
 public:
  InputError(const std::string& file, const std::string& place, const std::string& expectation)
      : std::runtime_error(file + ": " + place + ": " + expectation) {}
  explicit InputError(const std::string& line) : std::runtime_error(line) {}
};

/// An internal invariant does not hold (exit code 3). `what()` names the
/// quantities and their values.
class InvariantError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace quadrille
