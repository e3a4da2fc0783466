// The engines' RTL with one wrong constant each, as a chip takes it. An engine that
// gets RTL gets a line here.
#pragma once

#include <ostream>
#include <vector>

#include "hw/engines/rtl_bodies.h"
#include "model/attention/mechanism.h"
#include "testbench/common/cim_wrong_body.h"
#include "testbench/common/damf_wrong_body.h"
#include "testbench/common/linear_wrong_body.h"
#include "testbench/common/sinkhorn_wrong_body.h"
#include "testbench/common/softmax_wrong_body.h"

namespace quadrille::testbench {

struct WrongRtl {
  const char* engine;
  model::Mechanism mechanism;  ///< A layer that the constant matters to.
  void (*plant)(hw::RtlBodies& bodies);
};

inline std::vector<WrongRtl> wrong_rtl() {
  using model::Mechanism;
  return {
      {"cim", Mechanism::kSoftmax,
       [](hw::RtlBodies& bodies) { bodies.cim = make_wrong_cim_rtl_bodies; }},
      {"damf", Mechanism::kDamf,
       [](hw::RtlBodies& bodies) { bodies.damf = make_wrong_damf_rtl_body; }},
      {"softmax", Mechanism::kSoftmax,
       [](hw::RtlBodies& bodies) { bodies.softmax = make_wrong_softmax_rtl_body; }},
      {"sinkhorn", Mechanism::kSinkhorn,
       [](hw::RtlBodies& bodies) {
         bodies.sinkhorn = [](const hw::SinkhornConfig&) { return make_wrong_sinkhorn_rtl_body(); };
       }},
      {"linear", Mechanism::kLinear,
       [](hw::RtlBodies& bodies) {
         bodies.linear = [](const hw::LinearConfig&) { return make_wrong_linear_rtl_body(); };
       }},
  };
}

inline void PrintTo(const WrongRtl& wrong, std::ostream* out) { *out << wrong.engine; }

}  // namespace quadrille::testbench
