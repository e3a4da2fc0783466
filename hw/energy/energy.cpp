#include "hw/energy/energy.h"

#include <algorithm>
#include <cmath>

namespace quadrille::hw {
namespace {

double real(std::int64_t count) { return static_cast<double>(count); }

// A bank of words wider than 128 bits is as many sub-arrays side by side, and
// an access activates only those that its bytes fall in.
double sub_arrays_per_bank(const ChipConfig& config) {
  return std::max(1.0, config.scratchpad.word_bytes / real(kSliceBytes));
}

double sub_array_kib(const ChipConfig& config) {
  return real(config.scratchpad.capacity_bytes) / config.scratchpad.banks /
         sub_arrays_per_bank(config) / 1024.0;
}

/// A kind has its own prices, another device those of the technology table, in which
/// the data bus is part of a bit's price.
ByComponent dram_dynamic_pj(const DramConfig& config, const Technology& technology,
                            const Traffic& traffic) {
  const double read_bits = 8.0 * real(traffic.dram_read_bytes);
  const double write_bits = 8.0 * real(traffic.dram_write_bytes);
  const double activations = real(traffic.dram_row_misses);
  if (!config.figures) {
    return {{"dram_activation", activations * technology.value("dram.activation")},
            {"dram_read", read_bits * technology.value("dram.read_bit")},
            {"dram_write", write_bits * technology.value("dram.write_bit")}};
  }
  const DramKind& kind = *config.figures;
  return {{"dram_activation", activations * kind.activation_pj},
          {"dram_read", read_bits * kind.read_pj_per_bit},
          {"dram_write", write_bits * kind.write_pj_per_bit},
          {"dram_io", read_bits * kind.read_io_pj_per_bit + write_bits * kind.write_io_pj_per_bit}};
}

/// Those of a channel that have begun.
double refreshes(const DramKind& kind, double seconds) {
  return kind.refresh_interval_ns > 0.0 ? std::floor(1e9 * seconds / kind.refresh_interval_ns)
                                        : 0.0;
}

}  // namespace

void add(ByComponent& sum, const ByComponent& part) {
  for (const auto& [name, value] : part) sum[name] += value;
}

double dram_total(const ByComponent& parts) {
  double sum = 0.0;
  for (const auto& [name, value] : parts) {
    if (name.rfind("dram_", 0) == 0) sum += value;
  }
  return sum;
}

double total(const ByComponent& parts) {
  double sum = 0.0;
  for (const auto& part : parts) sum += part.second;
  return sum;
}

ByComponent dynamic_energy_pj(const ChipConfig& config, const Technology& technology, Unit unit,
                              const Activity& activity, const Traffic& traffic,
                              const EngineList& list) {
  ByComponent energy;
  if (const EngineEntry* engine = list.engine_of(unit))
    energy = engine->dynamic_pj(config, technology, activity);
  const SramRow sram = technology.sram(sub_array_kib(config));
  energy["sram"] = config.sram_factor * (real(traffic.sram_read.slices) * sram.read_pj +
                                         real(traffic.sram_write.slices) * sram.write_pj);
  add(energy, dram_dynamic_pj(config.dram, technology, traffic));
  energy["wires"] = 8.0 * real(traffic.sram_read.bytes + traffic.sram_write.bytes) *
                    technology.value("wire.bit_mm") * technology.value("wire.length");
  return energy;
}

ByComponent static_energy_pj(const ChipConfig& config, const Technology& technology,
                             std::int64_t cycles, const EngineList& list) {
  const double seconds = real(cycles) / config.clock_hz;
  const auto picojoules = [&](double microwatts) { return microwatts * seconds * 1e6; };
  ByComponent energy;
  energy["sram"] = picojoules(config.scratchpad.banks * sub_arrays_per_bank(config) *
                              technology.sram(sub_array_kib(config)).leakage_uw);
  for (const EngineEntry* engine : list.entries())
    energy[engine->name()] = picojoules(engine->leakage_uw(config, technology));
  if (config.dram.figures) {
    const DramKind& kind = *config.dram.figures;
    energy["dram_standby"] = picojoules(1e3 * config.dram.channels * kind.standby_mw);
    energy["dram_refresh"] = config.dram.channels * refreshes(kind, seconds) * kind.refresh_pj;
  }
  return energy;
}

ByComponent area_um2(const ChipConfig& config, const Technology& technology,
                     const EngineList& list) {
  ByComponent area;
  area["sram"] = 8.0 * real(config.scratchpad.capacity_bytes) * technology.value("area.sram_bit");
  for (const EngineEntry* engine : list.entries())
    area[engine->name()] = engine->area_um2(config, technology);
  return area;
}

}  // namespace quadrille::hw
