#include "hw/engines/cim/cim_bank.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "hw/engines/requantise.h"
#include "model/numerics/causal_pairs.h"
#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

using model::ceil_div;

std::string shape_text(int k, int n) { return std::to_string(k) + " x " + std::to_string(n); }

std::string region_text(const CimRegion& region) {
  return "macros " + std::to_string(region.first_macro) + ".." +
         std::to_string(region.first_macro + region.macros() - 1) + " (" +
         std::to_string(region.row_tiles) + " x " + std::to_string(region.column_tiles) + " tiles)";
}

bool same(const CimRegion& a, const CimRegion& b) {
  return a.first_macro == b.first_macro && a.row_tiles == b.row_tiles &&
         a.column_tiles == b.column_tiles;
}

void check_bits(const char* what, int bits, int limit) {
  if (bits < 1 || bits > limit) {
    throw InvariantError(std::string("cim command with ") + std::to_string(bits) + " " + what +
                         " bits, expected 1.." + std::to_string(limit));
  }
}

/// Codes reduced to their low bits, in place.
void keep_low_bits(std::uint8_t* codes, std::size_t count, int bits, bool is_signed) {
  for (std::size_t i = 0; i < count; ++i)
    codes[i] = static_cast<std::uint8_t>(low_bits(codes[i], bits, is_signed));
}

}  // namespace

int CimTiming::read_latency(const CimConfig& config) const {
  int levels = 0;
  while ((1 << levels) < config.macros) ++levels;
  return 1 + ceil_div(levels, 2) + 2;
}

/// The matrix that a region holds. Macros of a partly overwritten matrix keep
/// pointing at it, with `intact` false.
struct CimBank::Matrix {
  CimRegion region;
  int k = 0;
  int n = 0;
  int weight_bits = 8;
  bool being_written = true;
  bool intact = true;
  std::optional<ExactProduct> product;  ///< Exists only in runs with data.
};

CimBank::CimBank(const CimConfig& config) : config_(config) {
  const auto check = [](const char* name, int value, int limit) {
    if (value < 1 || value > limit) {
      throw InvariantError(std::string("cim ") + name + " " + std::to_string(value) +
                           ", expected 1.." + std::to_string(limit));
    }
  };
  check("macros", config.macros, 1 << 20);
  check("rows", config.rows, 1 << 16);
  check("columns", config.columns, 1 << 16);
  check("weight_bits", config.weight_bits, 8);
  check("input_bits", config.input_bits, 8);
  check("input_bytes_per_cycle", config.input_bytes_per_cycle, Beat::kBytes);
  check("output_bytes_per_cycle", config.output_bytes_per_cycle, Beat::kBytes);
  check("write_bytes_per_cycle", config.write_bytes_per_cycle, Beat::kBytes);
  if (config.input_bytes_per_cycle % 4 != 0) {
    throw InvariantError("cim input_bytes_per_cycle " +
                         std::to_string(config.input_bytes_per_cycle) +
                         ", expected whole reciprocals of 4 bytes");
  }
  macros_.resize(static_cast<std::size_t>(config.macros));
}

CimBank::~CimBank() = default;

void CimBank::check_region(const CimRegion& region, int k, int n) const {
  if (k < 1 || n < 1) throw InvariantError("cim matrix of " + shape_text(k, n) + " is empty");
  if (k > ExactProduct::kMaxTerms) {
    throw InvariantError("cim matrix of " + shape_text(k, n) + ": 32-bit sums hold at most " +
                         std::to_string(ExactProduct::kMaxTerms) + " rows");
  }
  const bool fits = region.row_tiles == ceil_div(k, config_.rows) &&
                    region.column_tiles == ceil_div(n, config_.columns) &&
                    region.first_macro >= 0 &&
                    region.macros() <= config_.macros - region.first_macro;
  if (!fits) {
    throw InvariantError("cim matrix of " + shape_text(k, n) + " does not fit " +
                         region_text(region) + " of " + std::to_string(config_.macros) +
                         " macros of " + shape_text(config_.rows, config_.columns));
  }
}

std::int64_t CimBank::alone_cycles(const CimWrite& operation) const {
  check_region(operation.region, operation.rows, operation.columns);
  const int granule = write_granule(config_);
  if (!operation.transpose) {
    const int whole_tiles = operation.columns / config_.columns;
    const std::int64_t granules = std::int64_t{whole_tiles} * ceil_div(config_.columns, granule) +
                                  ceil_div(operation.columns % config_.columns, granule);
    return operation.rows * granules + kCimTiming.write_latency + 1;
  }
  // Two transpose buffers: while one block comes in, the one before goes out,
  // and they change places when both are done.
  std::int64_t cycles = 0;
  int draining = 0;
  for (int tile = 0; tile < operation.columns; tile += config_.columns) {
    const int width = std::min(config_.columns, operation.columns - tile);
    for (int n = 0; n < width; n += granule) {
      for (int k = 0; k < operation.rows; k += granule) {
        cycles += std::max(std::min(granule, width - n), draining);
        draining = std::min(granule, operation.rows - k);
      }
    }
  }
  return cycles + draining + kCimTiming.write_latency + 1;
}

std::int64_t CimBank::alone_cycles(const CimMultiply& operation) const {
  check_region(operation.region, operation.rows, operation.columns);
  const std::int64_t in = ceil_div(operation.rows, config_.input_bytes_per_cycle);
  const std::int64_t out = ceil_div(operation.columns, results_per_beat(config_));
  const std::int64_t through = operation.input_bits - 1 + kCimTiming.array_latency;
  const std::int64_t others = std::max(std::int64_t{operation.input_bits}, out);
  const std::int64_t interval = std::max(in, others);
  // A beat of reciprocals costs a cycle where the input port has none to spare.
  const bool normalises = operation.epilogue.normalise;
  const std::int64_t later = operation.tokens - 1;
  const std::int64_t beats = normalises && in >= others ? later / reciprocals_per_beat(config_) : 0;
  // A token's output buffer is taken from its first bit cycle to the last read
  // of its sums; short tokens wait for one in rounds of all buffers.
  const std::int64_t rounds = later / kCimTiming.output_buffers;
  const std::int64_t spread =
      std::max(later * interval + beats,
               rounds * (through + out) + (later - rounds * kCimTiming.output_buffers) * interval);
  const std::int64_t first_read = in + (normalises ? 1 : 0) + 1 + through;
  return first_read + out + spread + kCimTiming.read_latency(config_, operation.epilogue);
}

Activity CimBank::activity(const CimWrite& operation) const {
  const std::int64_t bits =
      std::int64_t{operation.rows} * operation.columns * operation.weight_bits;
  Activity activity;
  (operation.dynamic ? activity.cim_dynamic_write_bits : activity.cim_static_write_bits) = bits;
  return activity;
}

Activity CimBank::activity(const CimMultiply& operation) const {
  const std::int64_t tokens = operation.tokens;
  const std::int64_t k = operation.rows;
  const std::int64_t n = operation.columns;
  std::int64_t useful = tokens * (k - operation.padding_rows) * (n - operation.padding_columns);
  if (operation.causal_columns) useful = model::causal_pairs(tokens, n, operation.first_token) * k;
  if (operation.causal_rows) useful = model::causal_pairs(tokens, k, operation.first_token) * n;
  const std::int64_t executed = tokens * (std::int64_t{operation.region.row_tiles} * config_.rows) *
                                (std::int64_t{operation.region.column_tiles} * config_.columns);
  Activity activity;
  (operation.dynamic ? activity.macs_dynamic : activity.macs_static) = useful;
  activity.macs_wasted = executed - useful;
  activity.cim_bit_cycles = executed * operation.input_bits * operation.weight_bits;
  const std::int64_t results = tokens * n;
  if (operation.epilogue.normalise) activity.multiplies = results;
  if (operation.epilogue.result != CimResult::kSums32) activity.requantises = results;
  return activity;
}

void CimBank::start(const CimWrite& operation) {
  check_region(operation.region, operation.rows, operation.columns);
  check_bits("weight", operation.weight_bits, config_.weight_bits);
  if (written_) {
    throw InvariantError("cim write to " + region_text(operation.region) +
                         " starts while the write to " + region_text(written_->region) + " runs");
  }
  if (used_ && !config_.write_while_compute) {
    throw InvariantError("cim write to " + region_text(operation.region) + " while " +
                         region_text(used_->region) +
                         " compute: this bank does not write while computing");
  }
  const auto region_macros = static_cast<std::size_t>(operation.region.macros());
  auto matrix = std::make_shared<Matrix>();
  matrix->region = operation.region;
  matrix->k = operation.rows;
  matrix->n = operation.columns;
  matrix->weight_bits = operation.weight_bits;
  for (std::size_t i = 0; i < region_macros; ++i) {
    const auto macro = static_cast<std::size_t>(operation.region.first_macro) + i;
    std::shared_ptr<Matrix>& held = macros_[macro];
    if (held && held == used_) {
      throw InvariantError("cim write to " + region_text(operation.region) + " meets macro " +
                           std::to_string(macro) + ", in use by a multiply on " +
                           region_text(used_->region));
    }
  }
  for (std::size_t i = 0; i < region_macros; ++i) {
    std::shared_ptr<Matrix>& held =
        macros_[static_cast<std::size_t>(operation.region.first_macro) + i];
    if (held) {
      held->intact = false;
      if (held->product) spare_ = held->product->release();
      held->product.reset();
    }
    held = matrix;
  }
  written_ = std::move(matrix);
}

void CimBank::finish(const CimWrite& operation) {
  if (!written_ || !same(written_->region, operation.region)) {
    throw InvariantError("cim write to " + region_text(operation.region) +
                         " finishes without having started");
  }
  written_->being_written = false;
  written_.reset();
}

void CimBank::check_holds(const CimRegion& region, int k, int n, int weight_bits) const {
  const auto& held = macros_[static_cast<std::size_t>(region.first_macro)];
  const std::string reads = "cim multiply by " + shape_text(k, n) + " in " + region_text(region);
  if (!held) throw InvariantError(reads + ": never written");
  const std::string holds = "the " + shape_text(held->k, held->n) + " weights of " +
                            std::to_string(held->weight_bits) + " bits in " +
                            region_text(held->region);
  if (!same(held->region, region) || held->k != k || held->n != n ||
      held->weight_bits != weight_bits) {
    throw InvariantError(reads + ", " + std::to_string(weight_bits) + " bits: finds " + holds);
  }
  if (!held->intact) throw InvariantError(reads + ": partly overwritten were " + holds);
  if (held->being_written) throw InvariantError(reads + ": still being written are " + holds);
}

void CimBank::start(const CimMultiply& operation) {
  check_region(operation.region, operation.rows, operation.columns);
  check_bits("input", operation.input_bits, config_.input_bits);
  if (operation.tokens < 1 || operation.tokens > kCimMostTokens) {
    throw InvariantError("cim multiply of " + std::to_string(operation.tokens) +
                         " tokens, expected 1.." + std::to_string(kCimMostTokens));
  }
  if (operation.epilogue.normalise &&
      (operation.epilogue.fraction_bits < 0 || operation.epilogue.fraction_bits > 16)) {
    throw InvariantError("cim multiply with " + std::to_string(operation.epilogue.fraction_bits) +
                         " fraction bits, expected 0..16");
  }
  if (used_) {
    throw InvariantError("cim multiply on " + region_text(operation.region) +
                         " starts while the one on " + region_text(used_->region) + " runs");
  }
  if (written_ && !config_.write_while_compute) {
    throw InvariantError("cim multiply on " + region_text(operation.region) + " while " +
                         region_text(written_->region) +
                         " is written: this bank does not write while computing");
  }
  check_holds(operation.region, operation.rows, operation.columns, operation.weight_bits);
  used_ = macros_[static_cast<std::size_t>(operation.region.first_macro)];
}

void CimBank::finish(const CimMultiply& operation) {
  if (!used_ || !same(used_->region, operation.region)) {
    throw InvariantError("cim multiply on " + region_text(operation.region) +
                         " finishes without having started");
  }
  used_.reset();
}

void CimBank::execute(const CimWrite& operation, Bytes scratchpad, Activity&) {
  if (!written_ || !same(written_->region, operation.region)) {
    throw InvariantError("cim write to " + region_text(operation.region) +
                         " executes without having started");
  }
  const int source_rows = operation.transpose ? operation.columns : operation.rows;
  const auto row_bytes =
      static_cast<std::uint64_t>(operation.transpose ? operation.rows : operation.columns);
  const std::int64_t pitch = operation.source_pitch_bytes;
  std::vector<std::int8_t> weights = std::move(spare_);
  weights.resize(static_cast<std::size_t>(operation.rows) *
                 static_cast<std::size_t>(operation.columns));
  const auto source_row = [&](int row) {
    return scratchpad.read(operation.source + static_cast<std::uint64_t>(row * pitch), row_bytes);
  };
  for (int row = 0; row < source_rows; ++row)
    std::memcpy(weights.data() + static_cast<std::size_t>(row) * row_bytes, source_row(row),
                row_bytes);
  scratchpad.into_cells(weights.size());
  if (operation.weight_bits < 8)
    keep_low_bits(reinterpret_cast<std::uint8_t*>(weights.data()), weights.size(),
                  operation.weight_bits, true);
  written_->product.emplace(std::move(weights), operation.rows, operation.columns,
                            operation.transpose ? WeightLayout::kColumns : WeightLayout::kRows,
                            best_product_kernel());
}

void CimBank::execute(const CimMultiply& operation, Bytes scratchpad, Activity& values) {
  if (!used_ || !same(used_->region, operation.region)) {
    throw InvariantError("cim multiply on " + region_text(operation.region) +
                         " executes without having started");
  }
  Matrix& matrix = *used_;
  if (!matrix.product) {
    throw InvariantError("cim multiply on " + region_text(operation.region) +
                         " has data, its weights were written without");
  }
  const int element = result_bytes(operation.epilogue.result);
  if (operation.destination_pitch_bytes % element != 0) {
    throw InvariantError("cim multiply with destination pitch " +
                         std::to_string(operation.destination_pitch_bytes) +
                         " bytes, expected a multiple of " + std::to_string(element));
  }
  const auto k = static_cast<std::uint64_t>(operation.rows);
  const auto n = static_cast<std::uint64_t>(operation.columns);
  const auto tokens = static_cast<std::uint64_t>(operation.tokens);
  const std::uint64_t source_bytes =
      (tokens - 1) * static_cast<std::uint64_t>(operation.source_pitch_bytes) + k;
  const std::uint8_t* x = scratchpad.read_rows(
      operation.source, tokens, k, static_cast<std::uint64_t>(operation.source_pitch_bytes));
  std::vector<std::uint8_t> narrow;
  if (operation.input_bits < 8) {
    narrow.assign(x, x + source_bytes);
    keep_low_bits(narrow.data(), narrow.size(), operation.input_bits, operation.input_signed);
    x = narrow.data();
  }
  const bool works = operation.epilogue.works();
  if (works) sums_.resize(4 * tokens * n);
  std::uint8_t* out =
      works ? sums_.data()
            : scratchpad.write_rows(operation.destination, tokens, 4 * n,
                                    static_cast<std::uint64_t>(operation.destination_pitch_bytes));
  const std::int64_t pitch =
      works ? static_cast<std::int64_t>(4 * n) : operation.destination_pitch_bytes;
  matrix.product->multiply(x, operation.source_pitch_bytes, operation.input_signed,
                           operation.tokens, out, pitch);
  if (works) finish_sums(operation, scratchpad, values);
}

void CimBank::finish_sums(const CimMultiply& operation, Bytes scratchpad, Activity& values) {
  const CimEpilogue& epilogue = operation.epilogue;
  const auto n = static_cast<std::uint64_t>(operation.columns);
  const Scaling requantisation(epilogue.multiplier);
  std::vector<std::int32_t> row(n);
  for (int t = 0; t < operation.tokens; ++t) {
    std::memcpy(row.data(), sums_.data() + 4 * n * static_cast<std::uint64_t>(t), 4 * n);
    if (epilogue.normalise) {
      const auto reciprocal = static_cast<std::uint32_t>(
          scratchpad.read_i32(epilogue.reciprocals + 4 * static_cast<std::uint64_t>(t)));
      values.saturated += scale_to_sums(row.data(), operation.columns,
                                        scaling_of(reciprocal, epilogue.fraction_bits, "cim", t));
    }
    const auto destination =
        operation.destination + static_cast<std::uint64_t>(t * operation.destination_pitch_bytes);
    std::uint8_t* to = scratchpad.write(
        destination, static_cast<std::uint64_t>(result_bytes(epilogue.result)) * n);
    if (epilogue.result == CimResult::kSums32) {
      std::memcpy(to, row.data(), 4 * n);
    } else if (epilogue.result == CimResult::kCodes8) {
      values.saturated += scale_to_codes8(row.data(), to, operation.columns, requantisation);
    } else {
      values.saturated += scale_to_codes16(row.data(), to, operation.columns, requantisation);
    }
  }
}

std::int8_t* CimBank::cell_row(int macro, int row) {
  const auto rows = static_cast<std::size_t>(config_.rows);
  const auto columns = static_cast<std::size_t>(config_.columns);
  if (cells_.empty()) cells_.resize(macros_.size() * rows * columns);
  return cells_.data() +
         (static_cast<std::size_t>(macro) * rows + static_cast<std::size_t>(row)) * columns;
}

}  // namespace quadrille::hw
