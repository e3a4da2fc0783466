#include "app/config/chip_file.h"

#include <cmath>

#include "app/config/choices.h"
#include "app/files/yaml_reader.h"

namespace quadrille::app {
namespace {

constexpr std::int64_t kLargest = 1 << 20;  // of counts, lanes, widths and latencies

int count(const YamlNode& node, const char* key, int standard) {
  return static_cast<int>(node.integer(key, 1, kLargest, standard));
}

/// A latency, or another count that may be zero.
int latency(const YamlNode& node, const char* key, int standard) {
  return static_cast<int>(node.integer(key, 0, kLargest, standard));
}

template <typename Read>
void section(const YamlNode& root, const char* key, Read read) {
  if (const auto node = root.optional_child(key)) read(*node);
}

void read_cim(const YamlNode& node, hw::CimConfig& cim) {
  cim.macros = count(node, "macros", cim.macros);
  cim.rows = count(node, "rows", cim.rows);
  cim.columns = count(node, "columns", cim.columns);
  cim.weight_bits = static_cast<int>(node.integer("weight_bits", 1, 8, cim.weight_bits));
  cim.input_bits = static_cast<int>(node.integer("input_bits", 1, 8, cim.input_bits));
  cim.input_bytes_per_cycle = count(node, "input_bytes_per_cycle", cim.input_bytes_per_cycle);
  cim.output_bytes_per_cycle = count(node, "output_bytes_per_cycle", cim.output_bytes_per_cycle);
  cim.write_bytes_per_cycle = count(node, "write_bytes_per_cycle", cim.write_bytes_per_cycle);
  cim.write_while_compute = node.boolean("write_while_compute", cim.write_while_compute);
}

void read_damf(const YamlNode& node, hw::DamfConfig& damf) {
  damf.lanes = count(node, "lanes", damf.lanes);
  damf.query_rows = count(node, "query_rows", damf.query_rows);
  damf.max_tokens = count(node, "max_tokens", damf.max_tokens);
  damf.max_model_width = count(node, "max_model_width", damf.max_model_width);
}

void read_sinkhorn(const YamlNode& node, hw::SinkhornConfig& sinkhorn) {
  sinkhorn.lanes = count(node, "lanes", sinkhorn.lanes);
  sinkhorn.tile_elements = count(node, "tile_elements", sinkhorn.tile_elements);
  sinkhorn.max_lines = count(node, "max_lines", sinkhorn.max_lines);
  sinkhorn.log_units = count(node, "log_units", sinkhorn.log_units);
  sinkhorn.value_columns = count(node, "value_columns", sinkhorn.value_columns);
  sinkhorn.skewed = node.boolean("skewed", sinkhorn.skewed);
}

void read_linear(const YamlNode& node, hw::LinearConfig& linear) {
  linear.lanes = count(node, "lanes", linear.lanes);
  linear.max_width = count(node, "max_width", linear.max_width);
  linear.chunk_tokens = count(node, "chunk_tokens", linear.chunk_tokens);
  linear.max_horizon = latency(node, "max_horizon", linear.max_horizon);
}

void read_scratchpad(const YamlNode& node, hw::ScratchpadConfig& scratchpad) {
  scratchpad.capacity_bytes =
      1024 * node.integer("capacity_kib", 1, kLargest, scratchpad.capacity_bytes / 1024);
  scratchpad.banks = count(node, "banks", scratchpad.banks);
  scratchpad.word_bytes = count(node, "word_bytes", scratchpad.word_bytes);
  scratchpad.read_latency_cycles =
      latency(node, "read_latency_cycles", scratchpad.read_latency_cycles);
  scratchpad.reader_fifo_words = count(node, "reader_fifo_words", scratchpad.reader_fifo_words);
  scratchpad.writer_fifo_words = count(node, "writer_fifo_words", scratchpad.writer_fifo_words);
}

void read_dram(const YamlNode& node, hw::DramConfig& dram) {
  constexpr std::int64_t kMib = 1 << 20;
  dram.capacity_bytes =
      kMib * node.integer("capacity_mib", 1, kLargest, dram.capacity_bytes / kMib);
  dram.burst_bytes = count(node, "burst_bytes", dram.burst_bytes);
  dram.burst_cycles = count(node, "burst_cycles", dram.burst_cycles);
  dram.row_bytes = count(node, "row_bytes", dram.row_bytes);
  dram.banks = count(node, "banks", dram.banks);
  dram.row_hit_latency_cycles =
      latency(node, "row_hit_latency_cycles", dram.row_hit_latency_cycles);
  dram.row_miss_latency_cycles =
      latency(node, "row_miss_latency_cycles", dram.row_miss_latency_cycles);
}

}  // namespace

hw::ChipConfig read_chip_file(const std::string& path) {
  const YamlNode root = read_yaml(path);
  hw::ChipConfig chip;
  chip.name = root.text("name");
  chip.file = path;
  chip.clock_hz = 1e6 * root.number("clock_mhz", 1, 10000);
  chip.timing = hw::Timing::kTile;
  const std::string timing =
      root.text("timing", words(kTimingChoices), word_of(kTimingChoices, chip.timing));
  for (const auto& choice : kTimingChoices) {
    if (choice.first == timing) chip.timing = choice.second;
  }
  chip.technology = root.optional<std::string>("technology", chip.technology);
  section(root, "cim", [&](const YamlNode& node) { read_cim(node, chip.cim); });
  section(root, "softmax", [&](const YamlNode& node) {
    chip.softmax.lanes = count(node, "lanes", chip.softmax.lanes);
    chip.softmax.max_keys = count(node, "max_keys", chip.softmax.max_keys);
  });
  section(root, "damf", [&](const YamlNode& node) { read_damf(node, chip.damf); });
  section(root, "sinkhorn", [&](const YamlNode& node) { read_sinkhorn(node, chip.sinkhorn); });
  section(root, "linear", [&](const YamlNode& node) { read_linear(node, chip.linear); });
  section(root, "vector", [&](const YamlNode& node) {
    chip.vector.lanes = count(node, "lanes", chip.vector.lanes);
  });
  section(root, "scratchpad",
          [&](const YamlNode& node) { read_scratchpad(node, chip.scratchpad); });
  section(root, "dram", [&](const YamlNode& node) { read_dram(node, chip.dram); });
  section(root, "dma", [&](const YamlNode& node) {
    chip.dma.outstanding_bursts = count(node, "outstanding_bursts", chip.dma.outstanding_bursts);
  });
  section(root, "energy", [&](const YamlNode& node) {
    chip.activity = node.number("input_ones_share", 0.0, 1.0, chip.activity);
    chip.sram_factor = node.number("sram_factor", 1.0, 4.0, chip.sram_factor);
  });
  root.finish();
  hw::validate(chip, path);
  return chip;
}

}  // namespace quadrille::app
