#include "hw/engines/rtl_bodies.h"

#include "hw/engines/paired_body.h"

namespace quadrille::hw {
namespace {

template <typename Operation, typename Config>
void place(RtlFactory<Operation, Config>& body, const TracedRtlFactory<Operation, Config>& traced,
           const RtlTrace& trace) {
  body = [traced, trace](const Config& config) { return traced(config, trace); };
}

template <typename Operation>
std::unique_ptr<BeatEngine<Operation>> pair(std::unique_ptr<BeatEngine<Operation>> rtl,
                                            std::unique_ptr<BeatEngine<Operation>> systemc,
                                            std::shared_ptr<void> keeps = {}) {
  return std::make_unique<PairedBody<Operation>>(std::move(rtl), std::move(systemc),
                                                 std::move(keeps));
}

}  // namespace

const std::vector<std::string>& engines_in_rtl() {
  static const std::vector<std::string> names = {"cim", "softmax", "damf", "sinkhorn", "linear"};
  return names;
}

RtlBodies with_waves(RtlBodies bodies, const TracedRtlBodies& traced, const std::string& engine,
                     const RtlTrace& trace) {
  if (engine == "cim") {
    bodies.cim = [make = traced.cim, trace](CimBank& bank) { return make(bank, trace); };
  } else if (engine == "softmax") {
    place(bodies.softmax, traced.softmax, trace);
  } else if (engine == "damf") {
    place(bodies.damf, traced.damf, trace);
  } else if (engine == "sinkhorn") {
    place(bodies.sinkhorn, traced.sinkhorn, trace);
  } else {
    place(bodies.linear, traced.linear, trace);
  }
  return bodies;
}

RtlBodies paired_with_systemc(const RtlBodies& bodies) {
  RtlBodies pairs;
  // The SystemC ports keep their weights in a bank of their own.
  pairs.cim = [make = bodies.cim](CimBank& bank) {
    CimBodies rtl = make(bank);
    const auto own = std::make_shared<CimBank>(bank.config());
    CimBodies both;
    both.write = pair(std::move(rtl.write), make_cim_write_beat_body(*own), own);
    both.multiply = pair(std::move(rtl.multiply), make_cim_multiply_beat_body(*own), own);
    return both;
  };
  pairs.softmax = [make = bodies.softmax](const SoftmaxConfig& config) {
    return pair(make(config), make_softmax_beat_body(config));
  };
  pairs.damf = [make = bodies.damf](const DamfConfig& config) {
    return pair(make(config), make_damf_beat_body(config));
  };
  pairs.sinkhorn = [make = bodies.sinkhorn](const SinkhornConfig& config) {
    const auto values = std::make_shared<Activity>();
    return pair(make(config), make_sinkhorn_beat_body(config, values.get()), values);
  };
  pairs.linear = [make = bodies.linear](const LinearConfig& config) {
    const auto values = std::make_shared<Activity>();
    return pair(make(config), make_linear_beat_body(config, values.get()), values);
  };
  return pairs;
}

}  // namespace quadrille::hw
