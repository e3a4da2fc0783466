// An entry of the list of engines (hw/engines.h): everything that the house knows
// about an engine beside its commands.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hw/chip_config.h"
#include "hw/energy/components.h"
#include "hw/energy/technology.h"
#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/rtl/rtl_library.h"
#include "hw/sequencer/unit.h"

namespace quadrille::hw {

class SteppedUnit;
struct UnitSurroundings;

/// One body per unit of an engine, in the order of EngineEntry::units().
using EngineBodies = std::vector<std::unique_ptr<AnyBeatEngine>>;

/// A unit of an engine, in one chip.
class EnginePort {
 public:
  virtual ~EnginePort() = default;
  /// The unit that drives it. In beat timing by `body`, or by the SystemC body when
  /// that is null; beside `twin`'s SystemC body, compared in every cycle, when there
  /// is one (PairedBody). The port and its twin must outlive the unit.
  virtual std::unique_ptr<SteppedUnit> make_unit(const UnitSurroundings& around,
                                                 std::unique_ptr<AnyBeatEngine> body,
                                                 EnginePort* twin) = 0;
};

/// One engine of one chip: its units' ports, and what they share.
class ChipEngine {
 public:
  virtual ~ChipEngine() = default;
  const std::vector<std::unique_ptr<EnginePort>>& ports() const { return ports_; }

 protected:
  void add(std::unique_ptr<EnginePort> port) { ports_.push_back(std::move(port)); }

 private:
  std::vector<std::unique_ptr<EnginePort>> ports_;
};

struct UnitEntry {
  Unit unit = Unit::kDma;
  const char* name = "";
};

class EngineEntry {
 public:
  virtual ~EngineEntry() = default;

  /// As files, reports and the command line call it.
  virtual const char* name() const = 0;
  /// One or two units; two are one engine in reports.
  virtual std::vector<UnitEntry> units() const = 0;
  /// Whether two units must not run at once in such a chip.
  virtual bool units_exclude_each_other(const ChipConfig&) const { return false; }
  virtual std::unique_ptr<ChipEngine> make(const ChipConfig& chip) const = 0;

  virtual bool in_rtl() const { return false; }
  /// What of the RTL is to be built for such a chip; InvariantError unless in_rtl().
  virtual RtlDesign rtl_design(const ChipConfig& chip) const;
  /// Bodies in RTL for `engine`, which make() has made, around a library of
  /// rtl_design(); with a waveform when `trace` is not null.
  virtual EngineBodies rtl_bodies(const ChipConfig& chip, ChipEngine& engine,
                                  std::shared_ptr<const RtlLibrary> library,
                                  const RtlTrace* trace) const;

  /// Whether a run with data has its counters of values (saturated, uniform_rows).
  virtual bool tells_values(bool /*beat*/, bool rtl) const { return !rtl; }

  // Prices, in pJ, um^2 and uW; what is not said otherwise is logic with registers.
  virtual ByComponent dynamic_pj(const ChipConfig& chip, const Technology& technology,
                                 const Activity& activity) const;
  virtual double area_um2(const ChipConfig& chip, const Technology& technology) const = 0;
  virtual double leakage_uw(const ChipConfig& chip, const Technology& technology) const;
};

/// Finds the library of an engine's design. Throws InputError, which says how to build
/// it, when there is none.
using FindRtl = std::function<std::shared_ptr<const RtlLibrary>(
    const ChipConfig& chip, const RtlDesign& design, bool waves)>;

/// Which RTL a chip's engines get.
struct RtlBodies {
  FindRtl find;
  /// By engine: the waveform that it writes.
  std::map<std::string, RtlTrace> traces;
  /// Each beside its SystemC body, compared in every cycle: the run stops with
  /// PinsDiffer (hw/engines/paired_body.h) at the first difference.
  bool paired = false;
};

/// `engine`'s bodies in RTL.
EngineBodies make_rtl_bodies(const EngineEntry& entry, const ChipConfig& chip, ChipEngine& engine,
                             const RtlBodies& bodies);

/// A list of one body.
template <typename Op>
EngineBodies one_body(std::unique_ptr<BeatEngine<Op>> body) {
  EngineBodies bodies;
  bodies.push_back(std::move(body));
  return bodies;
}

}  // namespace quadrille::hw
