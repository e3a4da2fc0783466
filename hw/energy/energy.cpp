#include "hw/energy/energy.h"

#include <algorithm>
#include <cmath>

#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/linear/linear_piece.h"

namespace quadrille::hw {
namespace {

double real(std::int64_t count) { return static_cast<double>(count); }

// Operations of an engine that is not the CIM array.
double operations_pj(const Technology& technology, Unit unit, const Activity& activity) {
  const auto cost = [&](const char* row, std::int64_t count) {
    return technology.value(row) * real(count);
  };
  const std::int64_t macs =
      activity.macs_static + activity.macs_dynamic + activity.macs_wasted - activity.macs_wide;
  return cost("op.mac8", macs) + cost("op.mac_wide", activity.macs_wide) +
         cost(unit == Unit::kSinkhorn ? "op.power" : "op.exponential", activity.exponentials) +
         cost("op.compare", activity.compares) + cost("op.addition", activity.additions) +
         cost("op.reciprocal", activity.reciprocals) + cost("op.shift_add", activity.shift_adds) +
         cost("op.leading_one", activity.leading_ones) + cost("op.multiply", activity.multiplies) +
         cost("op.requantise", activity.requantises);
}

const char* component_of(Unit unit) {
  switch (unit) {
    case Unit::kSinkhorn:
      return "sinkhorn";
    case Unit::kLinear:
      return "linear";
    case Unit::kSoftmax:
      return "softmax";
    case Unit::kDamf:
      return "damf";
    case Unit::kVector:
      return "vector";
    default:
      return "cim";
  }
}

// A bank of words wider than 128 bits is as many sub-arrays side by side, and
// an access activates only those that its bytes fall in.
double sub_arrays_per_bank(const ChipConfig& config) {
  return std::max(1.0, config.scratchpad.word_bytes / real(kSliceBytes));
}

double sub_array_kib(const ChipConfig& config) {
  return real(config.scratchpad.capacity_bytes) / config.scratchpad.banks /
         sub_arrays_per_bank(config) / 1024.0;
}

// Memories inside an engine: the Sinkhorn unit's are SRAM, priced like a bank of
// its tile memory; the others' are registers.
double local_pj(const ChipConfig& config, const Technology& technology, Unit unit,
                const Activity& activity) {
  if (unit != Unit::kSinkhorn) {
    return 8.0 * real(activity.local_read_bytes + activity.local_write_bytes) *
           technology.value("op.register_bit");
  }
  const double bank_kib = 2.0 * config.sinkhorn.tile_elements / config.sinkhorn.lanes / 1024.0;
  const SramRow sram = technology.sram(bank_kib);
  return config.sram_factor / kSliceBytes *
         (real(activity.local_read_bytes) * sram.read_pj +
          real(activity.local_write_bytes) * sram.write_pj);
}

double cim_bits(const ChipConfig& config) {
  return real(config.cim.macros) * config.cim.rows * config.cim.columns * config.cim.weight_bits;
}

// Per lane an exponential (adder, table with interpolation, shifter) and the
// accumulator of a line; the rotators in front of and behind the banks, log2(lanes)
// levels of multiplexers each, 32 bits wide for the words of held K; two scalings and
// an accumulator per line; 24 x 20-bit products of the value path with their 64-bit
// sums and the V buffer.
double sinkhorn_area(const SinkhornConfig& config, const Technology& technology) {
  const auto value = [&](const char* row) { return technology.value(row); };
  const double lanes = config.lanes;
  const double rotators = config.skewed ? 2.0 * 32.0 * lanes * std::log2(lanes) : 0.0;
  const double line_bits = config.max_lines * (2.0 * 32.0 + 66.0);
  const double value_buffer_bits = real(config.max_lines) * config.value_columns * 20.0;
  return lanes * (value("area.exponential") + 66.0 * value("area.register_bit")) +
         rotators * value("area.mux_bit") + config.log_units * value("area.logarithm") +
         (16.0 * config.tile_elements + line_bits + value_buffer_bits) * value("area.sram_bit") +
         lanes * config.value_columns * value("area.mac_wide");
}

// Memories of the linear-attention engine, bits of registers: S and z; beside
// them the chunk's shares, a product of 16 bits or a code of 8 grown by the
// chunk's tokens; sums of V before, behind and of all; and codes of 8 bits: two
// chunks of phi(K), phi(RP), the ring of V rows.
double linear_register_bits(const LinearConfig& config) {
  const double growth = std::ceil(std::log2(config.chunk_tokens));
  const double state = real(config.max_width) * config.lanes * (kLinearStateBits + 16.0 + growth);
  const double keys_sum = config.max_width * (kLinearSumBits + 8.0 + growth);
  const double value_sums = 3.0 * kLinearSumBits * config.lanes;
  const double codes =
      config.max_width * (2.0 * config.chunk_tokens + 2.0 * config.max_horizon + 1.0) +
      real(linear_ring_rows(config)) * config.lanes;
  return state + keys_sum + value_sums + 8.0 * codes;
}

// Narrow MACs make the outer products, the scores of a chunk and the weights of
// the relative positions; wide ones the readout, with a column for z, and scores
// and weights times rows of V. The merge adds all entries of S and z at once: an
// adder each, priced like a shift-adder. Every lane has its copy of the tables.
double linear_area(const LinearConfig& config, const Technology& technology) {
  const auto value = [&](const char* row) { return technology.value(row); };
  const double lanes = config.lanes;
  const double rows = config.chunk_tokens + 2.0 * config.max_horizon + 1.0;
  return lanes * (lanes + rows) * value("area.mac8") +
         lanes * (lanes + 1.0 + rows) * value("area.mac_wide") +
         config.max_width * (lanes + 1.0) * value("area.shift_add") +
         linear_register_bits(config) * value("area.register_bit") +
         3.0 * 256.0 * 8.0 * lanes * value("area.sram_bit") + lanes * value("area.requantise");
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
                              const Activity& activity, const Traffic& traffic) {
  ByComponent energy;
  if (unit == Unit::kCimCompute || unit == Unit::kCimWrite) {
    energy["cim"] = real(activity.cim_bit_cycles) * technology.value("cim.bit_product") *
                    (config.activity / 0.5);
    energy["cim_write"] = real(activity.cim_static_write_bits + activity.cim_dynamic_write_bits) *
                          technology.value("cim.cell_write");
  } else if (unit != Unit::kDma) {
    energy[component_of(unit)] =
        operations_pj(technology, unit, activity) + local_pj(config, technology, unit, activity);
  }
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
                             std::int64_t cycles) {
  const double seconds = real(cycles) / config.clock_hz;
  const auto picojoules = [&](double microwatts) { return microwatts * seconds * 1e6; };
  ByComponent energy;
  energy["sram"] = picojoules(config.scratchpad.banks * sub_arrays_per_bank(config) *
                              technology.sram(sub_array_kib(config)).leakage_uw);
  const double macro_kib = cim_bits(config) / config.cim.macros / 8.0 / 1024.0;
  energy["cim"] = picojoules(config.cim.macros * technology.sram(macro_kib).leakage_uw);
  const ByComponent area = area_um2(config, technology);
  for (const char* engine : {"softmax", "damf", "sinkhorn", "linear", "vector"})
    energy[engine] = picojoules(area.at(engine) * 1e-6 * technology.value("leakage.logic"));
  return energy;
}

ByComponent area_um2(const ChipConfig& config, const Technology& technology) {
  const auto value = [&](const char* row) { return technology.value(row); };
  ByComponent area;
  area["sram"] = 8.0 * real(config.scratchpad.capacity_bytes) * value("area.sram_bit");
  area["cim"] = cim_bits(config) * value("area.cim_bit");
  const double sram_bit = value("area.sram_bit");
  area["softmax"] = config.softmax.lanes * value("area.exponential") +
                    2.0 * 32.0 * config.softmax.max_keys * sram_bit;
  // Two MACs per lane project; every (query, lane) pair has a shift-adder and
  // a 48-bit sum; buffers hold (s, t), u and v.
  const double pairs = real(config.damf.lanes) * config.damf.query_rows;
  area["damf"] =
      2.0 * config.damf.lanes * value("area.mac8") +
      pairs * (value("area.shift_add") + value("area.mac8") + 48.0 * value("area.register_bit")) +
      16.0 * (real(config.damf.max_tokens) + config.damf.max_model_width) * sram_bit;
  area["sinkhorn"] = sinkhorn_area(config.sinkhorn, technology);
  area["linear"] = linear_area(config.linear, technology);
  area["vector"] = config.vector.lanes * value("area.requantise");
  return area;
}

}  // namespace quadrille::hw
