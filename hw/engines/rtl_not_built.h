// Verilator bakes parameters in: what a factory of RTL bodies throws when none
// was built with the wanted ones.
#pragma once

#include "model/errors.h"

namespace quadrille::hw {

/// `what()` lists what is wanted and what is built.
class RtlNotBuilt : public InputError {
 public:
  using InputError::InputError;
};

}  // namespace quadrille::hw
