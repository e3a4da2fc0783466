// The engines' RTL with one wrong constant each, as a chip takes it. An engine that
// gets RTL gets a line here.
#pragma once

#include <ostream>
#include <vector>

#include "hw/engines.h"
#include "hw/engines/cim/cim_entry.h"
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
       [](hw::RtlBodies& bodies) {
         bodies.instead["cim"] = hw::make_cim_rtl(make_wrong_cim_rtl_bodies);
       }},
      {"damf", Mechanism::kDamf,
       [](hw::RtlBodies& bodies) {
         bodies.instead["damf"] = [](const hw::ChipConfig& chip, hw::ChipEngine&) {
           return hw::one_body(make_wrong_damf_rtl_body(chip.damf));
         };
       }},
      {"softmax", Mechanism::kSoftmax,
       [](hw::RtlBodies& bodies) {
         bodies.instead["softmax"] = [](const hw::ChipConfig& chip, hw::ChipEngine&) {
           return hw::one_body(make_wrong_softmax_rtl_body(chip.softmax));
         };
       }},
      {"sinkhorn", Mechanism::kSinkhorn,
       [](hw::RtlBodies& bodies) {
         bodies.instead["sinkhorn"] = [](const hw::ChipConfig&, hw::ChipEngine&) {
           return hw::one_body(make_wrong_sinkhorn_rtl_body());
         };
       }},
      {"linear", Mechanism::kLinear,
       [](hw::RtlBodies& bodies) {
         bodies.instead["linear"] = [](const hw::ChipConfig&, hw::ChipEngine&) {
           return hw::one_body(make_wrong_linear_rtl_body());
         };
       }},
  };
}

inline void PrintTo(const WrongRtl& wrong, std::ostream* out) { *out << wrong.engine; }

}  // namespace quadrille::testbench
