// The engines' RTL for tests: libraries from the program's cache, built when they are
// not there, and the same with one wrong constant.
#pragma once

#include <memory>

#include "hw/engines.h"
#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/engines/softmax/softmax_engine.h"

namespace quadrille::testbench {

std::shared_ptr<const hw::RtlLibrary> rtl_library(const hw::RtlDesign& design, bool waves = false);

/// The design with one constant changed in its sources, for tests that must notice.
std::shared_ptr<const hw::RtlLibrary> wrong_rtl_library(const hw::RtlDesign& design,
                                                        bool waves = false);

/// A chip's RTL from rtl_library(); `wrong` names the engine whose constant is changed.
hw::RtlBodies test_rtl_bodies(const std::string& wrong = "");

/// Bodies of one engine around rtl_library().
std::unique_ptr<hw::BeatEngine<hw::SoftmaxRows>> softmax_rtl(const hw::SoftmaxConfig& config);
std::unique_ptr<hw::BeatEngine<hw::DamfOperation>> damf_rtl(const hw::DamfConfig& config);
std::unique_ptr<hw::BeatEngine<hw::SinkhornOperation>> sinkhorn_rtl(
    const hw::SinkhornConfig& config);
std::unique_ptr<hw::BeatEngine<hw::LinearAttend>> linear_rtl(const hw::LinearConfig& config);
hw::CimBodies cim_rtl(hw::CimBank& bank);

/// The chip whose sizes lockstep runs at besides the tests' own: that of the file
/// QUADRILLE_CHIP (`make lockstep CHIP=my.yaml`), or small sizes drawn by QUADRILLE_SEED.
const hw::ChipConfig& lockstep_chip();

}  // namespace quadrille::testbench
