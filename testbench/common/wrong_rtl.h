// The engines' RTL with one wrong constant each, and a layer that it matters to. An
// engine that gets RTL gets a line here.
#pragma once

#include <ostream>
#include <vector>

#include "model/attention/mechanism.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {

struct WrongRtl {
  const char* engine;
  model::Mechanism mechanism;
};

inline std::vector<WrongRtl> wrong_rtl() {
  using model::Mechanism;
  return {{"cim", Mechanism::kSoftmax},
          {"damf", Mechanism::kDamf},
          {"softmax", Mechanism::kSoftmax},
          {"sinkhorn", Mechanism::kSinkhorn},
          {"linear", Mechanism::kLinear}};
}

inline void PrintTo(const WrongRtl& wrong, std::ostream* out) { *out << wrong.engine; }

}  // namespace quadrille::testbench
