#include "hw/chip_config.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hw/engines/beat_engine.h"
#include "hw/memory/traffic.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

class Checker {
 public:
  explicit Checker(const std::string& file) : file_(file) {}

  [[noreturn]] void refuse(const std::string& field, const std::string& expectation,
                           const std::string& found) const {
    throw InputError(file_, field, "expected " + expectation + ", found " + found);
  }

  void range(const std::string& field, std::int64_t value, std::int64_t least,
             std::int64_t most) const {
    if (value >= least && value <= most) return;
    refuse(field, std::to_string(least) + ".." + std::to_string(most), std::to_string(value));
  }

  void power_of_two(const std::string& field, std::int64_t value) const {
    if (value > 0 && (value & (value - 1)) == 0) return;
    refuse(field, "a power of two", std::to_string(value));
  }

  void real(const std::string& field, double value, double least, double most,
            const std::string& expectation) const {
    if (std::isfinite(value) && value >= least && value <= most) return;
    refuse(field, expectation, std::to_string(value));
  }

  /// Beats of `bytes` must tile a scratchpad word.
  void beat(const std::string& field, std::int64_t bytes, std::int64_t word_bytes) const {
    if (bytes > 0 && bytes <= word_bytes && word_bytes % bytes == 0) return;
    refuse(field, "beats that divide scratchpad.word_bytes = " + std::to_string(word_bytes),
           std::to_string(bytes) + " bytes per beat");
  }

  /// The same, or beats of some whole words, which lie in as many banks.
  void wide_beat(const std::string& field, std::int64_t bytes,
                 const ScratchpadConfig& scratchpad) const {
    const std::int64_t word = scratchpad.word_bytes;
    if (bytes <= word || bytes % word != 0 || bytes / word > scratchpad.banks) {
      beat(field, bytes, word);
    }
  }

 private:
  const std::string& file_;
};

constexpr std::int64_t kMany = 1 << 20;

void check_scratchpad(const Checker& check, const ScratchpadConfig& config) {
  check.range("scratchpad.banks", config.banks, 1, 4096);
  check.range("scratchpad.word_bytes", config.word_bytes, kSliceBytes, Beat::kBytes);
  check.power_of_two("scratchpad.word_bytes", config.word_bytes);
  check.range("scratchpad.read_latency_cycles", config.read_latency_cycles, 1, 64);
  check.range("scratchpad.reader_fifo_words", config.reader_fifo_words,
              config.read_latency_cycles + 1, 1024);
  check.range("scratchpad.writer_fifo_words", config.writer_fifo_words, 2, 1024);
  check.range("scratchpad.capacity_bytes", config.capacity_bytes, 1, std::int64_t{1} << 34);
  const std::int64_t row = std::int64_t{config.banks} * config.word_bytes;
  if (config.capacity_bytes % row != 0) {
    check.refuse(
        "scratchpad.capacity_bytes",
        "whole words in every bank, a multiple of banks x word_bytes = " + std::to_string(row),
        std::to_string(config.capacity_bytes));
  }
}

void check_dram(const Checker& check, const DramConfig& config) {
  check.range("dram.capacity_bytes", config.capacity_bytes, 1, std::int64_t{1} << 40);
  check.range("dram.burst_bytes", config.burst_bytes, kSliceBytes, 4096);
  check.power_of_two("dram.burst_bytes", config.burst_bytes);
  check.range("dram.burst_cycles", config.burst_cycles, 1, 4096);
  check.range("dram.row_bytes", config.row_bytes, config.burst_bytes, kMany);
  if (config.row_bytes % config.burst_bytes != 0) {
    check.refuse("dram.row_bytes",
                 "a multiple of dram.burst_bytes = " + std::to_string(config.burst_bytes),
                 std::to_string(config.row_bytes));
  }
  if (config.capacity_bytes % config.row_bytes != 0) {
    check.refuse("dram.capacity_bytes",
                 "a multiple of dram.row_bytes = " + std::to_string(config.row_bytes),
                 std::to_string(config.capacity_bytes));
  }
  check.range("dram.banks", config.banks, 1, 4096);
  check.range("dram.row_hit_latency_cycles", config.row_hit_latency_cycles, 1, kMany);
  check.range("dram.row_miss_latency_cycles", config.row_miss_latency_cycles, 0, kMany);
}

void check_cim(const Checker& check, const CimConfig& config, std::int64_t word_bytes) {
  check.range("cim.macros", config.macros, 1, 1 << 16);
  check.range("cim.rows", config.rows, 1, 1 << 16);
  check.range("cim.columns", config.columns, 1, 1 << 16);
  check.range("cim.weight_bits", config.weight_bits, 1, 8);
  check.range("cim.input_bits", config.input_bits, 1, 8);
  check.range("cim.write_bytes_per_cycle", config.write_bytes_per_cycle, 1, Beat::kBytes);
  check.beat("cim.input_bytes_per_cycle", config.input_bytes_per_cycle, word_bytes);
  check.beat("cim.output_bytes_per_cycle", config.output_bytes_per_cycle, word_bytes);
  if (config.output_bytes_per_cycle % 4 != 0) {
    check.refuse("cim.output_bytes_per_cycle", "whole 32-bit sums",
                 std::to_string(config.output_bytes_per_cycle));
  }
  // One write beat fills one granule of a macro row.
  const int granule = std::min(config.columns, config.write_bytes_per_cycle);
  check.beat("cim.write_bytes_per_cycle", granule, word_bytes);
  if (config.columns % granule != 0) {
    check.refuse("cim.columns",
                 "a multiple of what one write cycle fills, cim.write_bytes_per_cycle = " +
                     std::to_string(config.write_bytes_per_cycle),
                 std::to_string(config.columns));
  }
}

void check_sinkhorn(const Checker& check, const ChipConfig& config) {
  const SinkhornConfig& sinkhorn = config.sinkhorn;
  const std::int64_t word = config.scratchpad.word_bytes;
  check.range("sinkhorn.lanes", sinkhorn.lanes, 1, Beat::kBytes / 4);
  check.power_of_two("sinkhorn.lanes", sinkhorn.lanes);
  check.beat("sinkhorn.lanes", std::int64_t{4} * sinkhorn.lanes, word);
  check.range("sinkhorn.max_lines", sinkhorn.max_lines, sinkhorn.lanes, kSinkhornMostLines);
  // Two chunks of lanes x lanes elements for matrices that stream through.
  const std::int64_t least = std::int64_t{2} * sinkhorn.lanes * sinkhorn.lanes;
  check.range("sinkhorn.tile_elements", sinkhorn.tile_elements, least, kMany);
  if (sinkhorn.tile_elements % least != 0) {
    check.refuse("sinkhorn.tile_elements",
                 "a multiple of 2 x lanes x lanes = " + std::to_string(least),
                 std::to_string(sinkhorn.tile_elements));
  }
  check.range("sinkhorn.log_units", sinkhorn.log_units, 1, sinkhorn.lanes);
  check.range("sinkhorn.value_columns", sinkhorn.value_columns, 1, Beat::kBytes / 4);
  check.power_of_two("sinkhorn.value_columns", sinkhorn.value_columns);
  check.beat("sinkhorn.value_columns", std::int64_t{4} * sinkhorn.value_columns, word);
}

void check_linear(const Checker& check, const ChipConfig& config) {
  const LinearConfig& linear = config.linear;
  check.range("linear.lanes", linear.lanes, 2, Beat::kBytes / 4);
  check.beat("linear.lanes", linear.lanes, config.scratchpad.word_bytes);
  check.wide_beat("linear.lanes", std::int64_t{4} * linear.lanes, config.scratchpad);
  check.range("linear.max_width", linear.max_width, 2, 4096);
  check.range("linear.chunk_tokens", linear.chunk_tokens, 1, 256);
  check.range("linear.max_horizon", linear.max_horizon, 0, 1024);
}

// The smallest piece of work of each engine must find room twice: operands and
// result.
void check_tiles(const Checker& check, const ChipConfig& config) {
  const std::int64_t capacity = config.scratchpad.capacity_bytes;
  const std::int64_t macro = std::int64_t{config.cim.rows} * config.cim.columns;
  if (capacity < macro) {
    check.refuse("scratchpad.capacity_bytes",
                 "room for one macro's weights, cim.rows x cim.columns = " + std::to_string(macro),
                 std::to_string(capacity));
  }
  const std::int64_t token = config.cim.rows + std::int64_t{4} * config.cim.columns;
  if (capacity < token) {
    check.refuse("scratchpad.capacity_bytes",
                 "room for one token of a macro, inputs and 32-bit sums = " + std::to_string(token),
                 std::to_string(capacity));
  }
  if (config.dram.capacity_bytes < macro) {
    check.refuse("dram.capacity_bytes",
                 "room for one macro's weights, cim.rows x cim.columns = " + std::to_string(macro),
                 std::to_string(config.dram.capacity_bytes));
  }
}

}  // namespace

void validate(const ChipConfig& config, const std::string& file) {
  const Checker check(file);
  // The simulation's time unit is a picosecond per cycle at the least.
  check.real("clock_hz", config.clock_hz, 1e3, 1e11, "1e3..1e11 Hz");
  check_scratchpad(check, config.scratchpad);
  check_dram(check, config.dram);
  check.range("dma.outstanding_bursts", config.dma.outstanding_bursts, 1, 4096);

  const std::int64_t word = config.scratchpad.word_bytes;
  check_cim(check, config.cim, word);
  check.range("softmax.lanes", config.softmax.lanes, 1, Beat::kBytes / 4);
  check.beat("softmax.lanes", std::int64_t{4} * config.softmax.lanes, word);
  check.range("softmax.max_keys", config.softmax.max_keys, 1, kMany);
  check.range("damf.lanes", config.damf.lanes, 1, Beat::kBytes / 4);
  check.beat("damf.lanes", config.damf.lanes, word);
  // Results leave in 32 bits per lane.
  check.wide_beat("damf.lanes", std::int64_t{4} * config.damf.lanes, config.scratchpad);
  check.range("damf.query_rows", config.damf.query_rows, 1, 1024);
  check.range("damf.max_tokens", config.damf.max_tokens, 1, kMany);
  check.range("damf.max_model_width", config.damf.max_model_width, 1, kMany);
  check_sinkhorn(check, config);
  check_linear(check, config);
  check.range("vector.lanes", config.vector.lanes, 1, Beat::kBytes / 4);
  check.beat("vector.lanes", std::int64_t{4} * config.vector.lanes, word);
  check_tiles(check, config);

  check.real("activity", config.activity, 0.0, 1.0, "0..1");
  check.real("sram_factor", config.sram_factor, 1.0, 4.0, "1..4");
  if (config.technology.empty()) check.refuse("technology", "the name of a table", "nothing");
}

}  // namespace quadrille::hw
