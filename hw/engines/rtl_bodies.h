// A chip's RTL bodies come from here. Another netlist of the same pins, say one
// with a planted fault or with waveforms, can take an engine's place.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/rtl_not_built.h"
#include "hw/engines/rtl_wave.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/engines/softmax/softmax_engine.h"
#include "model/errors.h"

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

/// Makes the same bodies with a waveform each.
template <typename Operation, typename Config>
using TracedRtlFactory =
    std::function<std::unique_ptr<BeatEngine<Operation>>(const Config&, const RtlTrace&)>;

struct TracedRtlBodies {
  std::function<CimBodies(CimBank&, const RtlTrace&)> cim = make_cim_traced_rtl_bodies;
  TracedRtlFactory<SoftmaxRows, SoftmaxConfig> softmax = make_softmax_traced_rtl_body;
  TracedRtlFactory<DamfOperation, DamfConfig> damf = make_damf_traced_rtl_body;
  TracedRtlFactory<SinkhornOperation, SinkhornConfig> sinkhorn = make_sinkhorn_traced_rtl_body;
  TracedRtlFactory<LinearAttend, LinearConfig> linear = make_linear_traced_rtl_body;
};

/// A body from `make`, a factory above. Its RtlNotBuilt, which knows parameters
/// only, comes out as InputError naming the chip and the engine.
template <typename Make>
auto make_rtl_of(const std::string& chip, const std::string& engine, Make make) {
  try {
    return make();
  } catch (const RtlNotBuilt& error) {
    throw InputError(chip, engine, error.what());
  }
}

/// Names of the engines that exist in RTL.
const std::vector<std::string>& engines_in_rtl();

/// `bodies` with `engine`'s taken from `traced`; that throws InputError where the chip's
/// point has no waveforms.
RtlBodies with_waves(RtlBodies bodies, const TracedRtlBodies& traced, const std::string& engine,
                     const RtlTrace& trace);

/// Each body of `bodies` beside its SystemC body, compared in every cycle: the run
/// stops with PinsDiffer (hw/engines/paired_body.h) at the first difference.
RtlBodies paired_with_systemc(const RtlBodies& bodies);

}  // namespace quadrille::hw
