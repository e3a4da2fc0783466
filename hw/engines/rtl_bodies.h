// Where a chip's RTL bodies come from. Another netlist of the same pins, say one
// with a planted fault or with waveforms, can take an engine's place.
#pragma once

#include <functional>
#include <memory>

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/engines/softmax/softmax_engine.h"

namespace quadrille::hw {

template <typename Operation, typename Config>
using RtlFactory = std::function<std::unique_ptr<BeatEngine<Operation>>(const Config&)>;

struct RtlBodies {
  std::function<CimBodies(CimBank&)> cim = make_cim_rtl_bodies;
  RtlFactory<SoftmaxRows, SoftmaxConfig> softmax = make_softmax_rtl_body;
  RtlFactory<DamfOperation, DamfConfig> damf = make_damf_rtl_body;
  RtlFactory<SinkhornOperation, SinkhornConfig> sinkhorn = make_sinkhorn_rtl_body;
  RtlFactory<LinearAttend, LinearConfig> linear = make_linear_rtl_body;
};

}  // namespace quadrille::hw
