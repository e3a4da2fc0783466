#include "hw/energy/energy.h"

#include <algorithm>

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

}  // namespace

void add(ByComponent& sum, const ByComponent& part) {
  for (const auto& [name, value] : part) sum[name] += value;
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
  energy["dram"] = 8.0 * (real(traffic.dram_read_bytes) * technology.value("dram.read_bit") +
                          real(traffic.dram_write_bytes) * technology.value("dram.write_bit")) +
                   real(traffic.dram_row_misses) * technology.value("dram.activation");
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
