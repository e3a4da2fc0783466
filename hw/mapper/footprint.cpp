#include "hw/mapper/footprint.h"

#include "model/errors.h"

namespace quadrille::hw {
namespace {

constexpr bool kReads = false;
constexpr bool kWrites = true;

}  // namespace

void Footprint::rows(bool write, std::uint64_t address, std::int64_t rows, std::int64_t row_bytes,
                     std::int64_t pitch_bytes) {
  if (rows <= 0 || row_bytes <= 0) return;
  if (count_ == kMost) throw InvariantError("a command touches more than its footprint holds");
  const auto begin = static_cast<std::int64_t>(address);
  touches_[count_++] = {Space::kScratchpad, write, begin,
                        begin + (rows - 1) * pitch_bytes + row_bytes};
}

void Footprint::macros(bool write, const CimRegion& region) {
  touches_[count_++] = {Space::kMacros, write, region.first_macro,
                        region.first_macro + region.macros()};
}

Footprint::Footprint(const DmaCopy& operation) {
  rows(operation.to_scratchpad, operation.scratchpad_address, operation.rows, operation.row_bytes,
       operation.scratchpad_pitch_bytes);
}

Footprint::Footprint(const CimWrite& operation) {
  const bool turned = operation.transpose;
  rows(kReads, operation.source, turned ? operation.columns : operation.rows,
       turned ? operation.rows : operation.columns, operation.source_pitch_bytes);
  macros(kWrites, operation.region);
}

Footprint::Footprint(const CimMultiply& operation) {
  rows(kReads, operation.source, operation.tokens, operation.rows, operation.source_pitch_bytes);
  macros(kReads, operation.region);
  if (operation.epilogue.normalise)
    rows(kReads, operation.epilogue.reciprocals, operation.tokens, 4, 4);
  rows(kWrites, operation.destination, operation.tokens,
       std::int64_t{result_bytes(operation.epilogue.result)} * operation.columns,
       operation.destination_pitch_bytes);
}

Footprint::Footprint(const SoftmaxRows& operation) {
  rows(kReads, operation.source, operation.queries, std::int64_t{4} * operation.keys,
       operation.source_pitch_bytes);
  rows(kWrites, operation.destination, operation.queries, operation.keys,
       operation.destination_pitch_bytes);
  rows(kWrites, operation.reciprocals, operation.queries, 4, 4);
}

Footprint::Footprint(const DamfProject& operation) {
  rows(kReads, operation.u, 1, operation.width, 0);
  rows(kReads, operation.v, 1, operation.width, 0);
  rows(kReads, operation.source, operation.tokens, operation.width, operation.source_pitch_bytes);
  rows(kWrites, operation.destination, operation.tokens, 2, 2);
}

Footprint::Footprint(const DamfAttend& operation) {
  rows(kReads, operation.scores, operation.tokens, 2, 2);
  rows(kReads, operation.values, operation.tokens, operation.width, operation.value_pitch_bytes);
  rows(kWrites, operation.destination, operation.tokens, std::int64_t{4} * operation.width,
       operation.destination_pitch_bytes);
}

Footprint::Footprint(const VectorRequantise& operation) {
  const auto bytes = [&](bool sums) { return std::int64_t{sums ? 4 : 1} * operation.columns; };
  rows(kReads, operation.source, operation.rows, bytes(operation.from == VectorSource::kSums32),
       operation.source_pitch_bytes);
  if (operation.normalise) rows(kReads, operation.reciprocals, operation.rows, 4, 4);
  rows(kWrites, operation.destination, operation.rows, bytes(operation.to == VectorResult::kSums32),
       operation.destination_pitch_bytes);
}

Footprint::Footprint(const SinkhornScale& operation) {
  const std::int64_t batch = operation.batch;
  const auto matrices = [&](bool write, std::uint64_t address, std::int64_t element_bytes,
                            std::int64_t pitch_bytes, std::int64_t stride_bytes) {
    const std::int64_t last =
        (operation.rows - 1) * pitch_bytes + operation.columns * element_bytes;
    rows(write, address, batch, last, stride_bytes);
  };
  matrices(kReads, operation.source, operation.element_bytes, operation.source_pitch_bytes,
           operation.matrix_stride_bytes);
  if (operation.warm) {
    rows(kReads, operation.warm_rows, batch, std::int64_t{4} * operation.rows,
         std::int64_t{4} * operation.rows);
    rows(kReads, operation.warm_columns, batch, std::int64_t{4} * operation.columns,
         std::int64_t{4} * operation.columns);
  }
  if (operation.form != model::SinkhornForm::kMatrix) {
    rows(kWrites, operation.row_scalings, batch, std::int64_t{4} * operation.rows,
         std::int64_t{4} * operation.rows);
    rows(kWrites, operation.column_scalings, batch, std::int64_t{4} * operation.columns,
         std::int64_t{4} * operation.columns);
  }
  rows(kWrites, operation.counts, batch, 4, 4);
  if (operation.kernel_wanted)
    matrices(kWrites, operation.kernel, 4, operation.kernel_pitch_bytes,
             operation.kernel_stride_bytes);
}

Footprint::Footprint(const SinkhornApply& operation) {
  rows(kReads, operation.source, operation.rows,
       std::int64_t{operation.columns} * operation.element_bytes, operation.source_pitch_bytes);
  if (operation.from == SinkhornSource::kElements) {
    rows(kReads, operation.row_scalings, operation.rows, 4, 4);
    rows(kReads, operation.column_scalings, operation.columns, 4, 4);
  }
  if (operation.value_width > 0) {
    rows(kReads, operation.values, operation.columns,
         std::int64_t{operation.value_width} * operation.value_bytes, operation.value_pitch_bytes);
    rows(kWrites, operation.destination, operation.rows, std::int64_t{4} * operation.value_width,
         operation.destination_pitch_bytes);
  }
  if (operation.kernel_wanted)
    rows(kWrites, operation.kernel, operation.rows, std::int64_t{4} * operation.columns,
         operation.kernel_pitch_bytes);
}

Footprint::Footprint(const LinearAttend& operation) {
  const bool kernel = operation.kind == LinearKind::kKernel;
  if (operation.reset && kernel) {
    rows(kReads, operation.tables, 3, 256, 256);
    if (operation.horizon >= 0)
      rows(kReads, operation.positions, 2 * operation.horizon + 1, operation.width,
           operation.position_pitch_bytes);
  }
  const auto tokens = [&](std::uint64_t address, std::int64_t count, std::int64_t pitch_bytes) {
    rows(kReads, address, count, operation.width, kernel ? pitch_bytes : 2);
  };
  tokens(operation.keys, operation.key_tokens, operation.key_pitch_bytes);
  rows(kReads, operation.values, operation.key_tokens, operation.value_width,
       operation.value_pitch_bytes);
  tokens(operation.queries, operation.query_tokens, operation.query_pitch_bytes);
  if (!operation.causal && operation.query_tokens > 0) {
    const LinearWindow window = linear_window(operation.first_position, operation.query_tokens,
                                              operation.total_keys, operation.horizon);
    rows(kReads, operation.window, window.rows, operation.value_width, operation.value_pitch_bytes);
  }
  rows(kWrites, operation.destination, operation.query_tokens,
       std::int64_t{4} * operation.value_width, operation.destination_pitch_bytes);
  if (!operation.sums_wanted) return;
  rows(kWrites, operation.numerators, operation.query_tokens,
       std::int64_t{8} * operation.value_width, operation.numerator_pitch_bytes);
  rows(kWrites, operation.denominators, operation.query_tokens, 8, 8);
}

}  // namespace quadrille::hw
