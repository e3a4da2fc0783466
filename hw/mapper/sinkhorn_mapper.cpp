// Lowers Sinkhorn normalisation and attention: scores, scalings, application.
#include <algorithm>

#include "hw/mapper/sinkhorn_lowering.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using model::SinkhornForm;
using model::SinkhornUpdate;

std::uint64_t offset(std::uint64_t address, std::int64_t bytes) {
  return address + static_cast<std::uint64_t>(bytes);
}

class SinkhornMapper {
 public:
  SinkhornMapper(const ChipConfig& config, const SinkhornProblem& problem)
      : bench_(config), problem_(problem), shape_(problem.integer.shape) {
    check_limits();
  }

  Mapping map() {
    place_tensors();
    bench_.builder.begin_layer("sinkhorn");
    if (problem_.value_width > 0) {
      values_ = bench_.load(bench_.dram.at("V"), Phase::kLoadInput);
    }
    if (shape_.batch > 1 && resident()) {
      batch();
    } else {
      for (int matrix = 0; matrix < shape_.batch; ++matrix) one(matrix);
    }
    return bench_.finish();
  }

 private:
  bool resident() const {
    return sinkhorn_resident(bench_.config.sinkhorn, shape_.rows, shape_.columns,
                             problem_.integer.settings.form);
  }
  bool held() const { return problem_.integer.settings.form != SinkhornForm::kScaling; }
  /// K normalised in place has no scalings.
  bool has_scalings() const { return problem_.integer.settings.form != SinkhornForm::kMatrix; }
  bool warm() const { return problem_.warm_columns || problem_.warm_rows; }
  std::int64_t element_bytes() const {
    return problem_.score_width > 0 ? 4 : problem_.element_bytes;
  }

  void check_limits() const {
    const ChipConfig& config = bench_.config;
    check_sinkhorn_lines(config, std::max(shape_.rows, shape_.columns));
    if (held() && !resident()) {
      throw InputError(config.source(), "sinkhorn.tile_elements",
                       "expected room for a matrix of " + std::to_string(shape_.rows) + " x " +
                           std::to_string(shape_.columns) + " with held K, two elements each");
    }
    if (shape_.columns == 1 && !resident()) {
      throw InputError(config.source(), "sinkhorn.tile_elements",
                       "expected room for a matrix of " + std::to_string(shape_.rows) +
                           " rows and one column, which is not streamed");
    }
    if (problem_.score_width > 0) check_cim_bits(config, 8, 8);
    if (shape_.batch > 1 && (problem_.score_width > 0 || problem_.value_width > 0)) {
      throw InvariantError("a batch of Sinkhorn problems has no Q, K and V");
    }
  }

  // Batches lie flat; a single matrix has its rows at word boundaries.
  void place_tensors() {
    const std::int64_t batch = shape_.batch;
    if (problem_.score_width > 0) {
      bench_.dram.place("Q", shape_.rows, problem_.score_width, 1, false);
      bench_.dram.place("K", shape_.columns, problem_.score_width, 1, false);
    } else {
      bench_.dram.place("C", 1, batch * shape_.elements(), problem_.element_bytes, false);
    }
    if (problem_.warm_columns) bench_.dram.place("g0", 1, batch * shape_.columns, 4, false);
    if (problem_.warm_rows) bench_.dram.place("f0", 1, batch * shape_.rows, 4, false);
    if (problem_.value_width > 0) {
      bench_.dram.place("V", shape_.columns, problem_.value_width, problem_.value_bytes, false);
      bench_.dram.place("out", shape_.rows, problem_.value_width, 4, true);
    }
    if (has_scalings()) {
      bench_.dram.place("f", 1, batch * shape_.rows, 4, true);
      bench_.dram.place("g", 1, batch * shape_.columns, 4, true);
    }
    bench_.dram.place("iterations", 1, batch, 4, true);
    if (problem_.kernel_wanted) bench_.dram.place("kernel", 1, batch * shape_.elements(), 4, true);
  }

  // Elements [first, first + count) of a flat DRAM tensor as rows of the scratchpad.
  void load(const std::string& name, const Buffer& to, std::int64_t first, std::int64_t rows,
            std::int64_t row_elements) {
    const DramTensor& tensor = bench_.dram.at(name);
    const std::int64_t row_bytes = row_elements * tensor.element_bytes;
    bench_.builder.add(DmaCopy{true, offset(tensor.address, first * tensor.element_bytes),
                               row_bytes, to.address, to.pitch_bytes, rows, row_bytes},
                       Phase::kLoadInput, -1, {}, {to.storage});
  }
  void store(const std::string& name, const Buffer& from, std::int64_t first, std::int64_t rows,
             std::int64_t row_elements) {
    const DramTensor& tensor = bench_.dram.at(name);
    const std::int64_t row_bytes = row_elements * tensor.element_bytes;
    bench_.builder.add(DmaCopy{false, offset(tensor.address, first * tensor.element_bytes),
                               row_bytes, from.address, from.pitch_bytes, rows, row_bytes},
                       Phase::kStoreOutput, -1, {from.storage}, {});
  }

  // --- batches of small matrices ----------------------------------------------

  struct Piece {
    Buffer elements, warm_rows, warm_columns, rows, columns, counts, kernel;
  };

  std::int64_t piece_bytes(std::int64_t matrices) const {
    const ScratchpadPlan& plan = bench_.scratchpad;
    const std::int64_t lines = plan.matrix_bytes(1, 4 * matrices * shape_.rows) +
                               plan.matrix_bytes(1, 4 * matrices * shape_.columns);
    return plan.matrix_bytes(1, matrices * shape_.elements() * element_bytes()) +
           lines * (warm() ? 2 : 1) + plan.matrix_bytes(1, 4 * matrices) +
           plan.matrix_bytes(1, matrices * shape_.elements() * 4);
  }

  Piece make_piece(std::int64_t matrices) {
    ScratchpadPlan& plan = bench_.scratchpad;
    Piece piece;
    piece.elements = plan.matrix(1, matrices * shape_.elements() * element_bytes(), "logits");
    if (warm()) {
      piece.warm_rows = plan.matrix(1, 4 * matrices * shape_.rows, "starting row scalings");
      piece.warm_columns = plan.matrix(1, 4 * matrices * shape_.columns, "starting scalings");
    }
    piece.rows = plan.matrix(1, 4 * matrices * shape_.rows, "row scalings");
    piece.columns = plan.matrix(1, 4 * matrices * shape_.columns, "column scalings");
    piece.counts = plan.matrix(1, 4 * matrices, "half-step counts");
    piece.kernel = plan.matrix(1, matrices * shape_.elements() * 4, "K");
    return piece;
  }

  void batch() {
    // Two pieces in turn, so that the DMA works while the unit does; at least
    // four pieces where the batch has them, whole blocks of the tile memory each.
    const SinkhornConfig& unit = bench_.config.sinkhorn;
    const std::int64_t block =
        sinkhorn_block_matrices(unit, shape_.rows, shape_.columns, problem_.integer.settings.form);
    std::int64_t matrices = round_up(divide_up(shape_.batch, 4), block);
    while (matrices > block && 2 * piece_bytes(matrices) > bench_.scratchpad.free_bytes()) {
      matrices = round_up(matrices / 2, block);
    }
    matrices = std::min<std::int64_t>(matrices, shape_.batch);
    std::vector<Piece> pieces;
    pieces.reserve(2);
    for (int i = 0; i < 2; ++i) pieces.push_back(make_piece(matrices));
    bench_.choices.push_back("batch: pieces of " + std::to_string(matrices) + " matrices, " +
                             std::to_string(block) + " in the tile memory at a time");
    Rotation<Piece> rotation(std::move(pieces));
    // The DMA works in program order: the next piece is loaded before this one's
    // results are stored, so that it comes in while the unit works.
    Loaded next = load_piece(rotation.next(), 0, matrices);
    for (std::int64_t first = 0; first < shape_.batch; first += matrices) {
      const Loaded now = next;
      const std::int64_t after = first + matrices;
      if (after < shape_.batch) {
        next = load_piece(rotation.next(), after, std::min(matrices, shape_.batch - after));
      }
      scale_piece(now);
    }
  }

  /// A piece whose elements are on their way, and its command.
  struct Loaded {
    Piece piece;
    std::int64_t first = 0;
    SinkhornScale operation;
    std::vector<Storage> reads;
  };

  Loaded load_piece(const Piece& piece, std::int64_t first, std::int64_t count) {
    const std::int64_t elements = shape_.elements();
    Loaded loaded{piece, first, sinkhorn_scale_command(problem_), {piece.elements.storage}};
    load("C", piece.elements, first * elements, 1, count * elements);
    SinkhornScale& operation = loaded.operation;
    if (warm()) {
      load_warm(operation, piece.warm_rows, piece.warm_columns, first, count, loaded.reads);
    }
    operation.source = piece.elements.address;
    operation.source_pitch_bytes = shape_.columns * element_bytes();
    operation.matrix_stride_bytes = elements * element_bytes();
    operation.row_scalings = piece.rows.address;
    operation.column_scalings = piece.columns.address;
    operation.counts = piece.counts.address;
    operation.kernel_wanted = problem_.kernel_wanted || held();
    operation.kernel = piece.kernel.address;
    operation.kernel_pitch_bytes = std::int64_t{4} * shape_.columns;
    operation.kernel_stride_bytes = 4 * elements;
    operation.batch = static_cast<int>(count);
    return loaded;
  }

  void scale_piece(const Loaded& loaded) {
    const Piece& piece = loaded.piece;
    const std::int64_t count = loaded.operation.batch;
    const std::int64_t elements = shape_.elements();
    std::vector<Storage> writes{piece.rows.storage, piece.columns.storage, piece.counts.storage};
    if (loaded.operation.kernel_wanted) writes.push_back(piece.kernel.storage);
    bench_.builder.add(loaded.operation, Phase::kNormalise, 0, loaded.reads, writes);
    store_scalings(piece.rows, piece.columns, piece.counts, loaded.first, count);
    if (problem_.kernel_wanted) {
      store("kernel", piece.kernel, loaded.first * elements, 1, count * elements);
    }
  }

  // Starting scalings of both sides. Alternate half-steps only look at the
  // columns'; on a square matrix damped ones start both sides alike.
  void load_warm(SinkhornScale& operation, const Buffer& rows, const Buffer& columns,
                 std::int64_t first, std::int64_t count, std::vector<Storage>& reads) {
    if (problem_.warm_columns) {
      load("g0", columns, first * shape_.columns, 1, count * shape_.columns);
      reads.push_back(columns.storage);
    }
    if (problem_.warm_rows) {
      load("f0", rows, first * shape_.rows, 1, count * shape_.rows);
      reads.push_back(rows.storage);
    }
    operation.warm_columns = columns.address;
    operation.warm_rows = rows.address;
    if (problem_.warm_rows) return;
    if (shape_.rows == shape_.columns) {
      operation.warm_rows = columns.address;
    } else if (problem_.integer.settings.update == SinkhornUpdate::kDamped) {
      throw InvariantError("damped Sinkhorn updates of a rectangular matrix start from f0 and g0");
    }
  }

  void store_scalings(const Buffer& rows, const Buffer& columns, const Buffer& counts,
                      std::int64_t first, std::int64_t count) {
    if (has_scalings()) {
      store("f", rows, first * shape_.rows, 1, count * shape_.rows);
      store("g", columns, first * shape_.columns, 1, count * shape_.columns);
    }
    store("iterations", counts, first, 1, count);
  }

  // --- one matrix ---------------------------------------------------------------

  void one(int matrix) {
    if (matrix == 0) make_buffers();
    if (problem_.score_width > 0) {
      scores();
    } else {
      load("C", elements_, matrix * shape_.elements(), shape_.rows, shape_.columns);
    }
    scale(matrix);
    if (held()) {
      if (problem_.kernel_wanted) {
        store("kernel", kernel_, matrix * shape_.elements(), shape_.rows, shape_.columns);
      }
      if (problem_.value_width > 0) apply(matrix);
    } else if (problem_.kernel_wanted || problem_.value_width > 0) {
      apply(matrix);
    }
  }

  void make_buffers() {
    ScratchpadPlan& plan = bench_.scratchpad;
    elements_ = plan.matrix(shape_.rows, shape_.columns * element_bytes(), "the logits");
    if (warm()) {
      warm_rows_ = plan.matrix(1, std::int64_t{4} * shape_.rows, "starting row scalings");
      warm_columns_ = plan.matrix(1, std::int64_t{4} * shape_.columns, "starting scalings");
    }
    rows_ = plan.matrix(1, std::int64_t{4} * shape_.rows, "row scalings");
    columns_ = plan.matrix(1, std::int64_t{4} * shape_.columns, "column scalings");
    counts_ = plan.matrix(1, 4, "the half-step count");
    if (held()) kernel_ = plan.matrix(shape_.rows, std::int64_t{4} * shape_.columns, "K");
  }

  // Q K^T by the CIM bank.
  void scores() {
    const View q = view_of(bench_.load(bench_.dram.at("Q"), Phase::kLoadInput));
    const View k = view_of(bench_.load(bench_.dram.at("K"), Phase::kLoadInput));
    ScoreProducts products(bench_, {0, bench_.config.cim.macros, shape_, problem_.score_width});
    products.emit(0, q, k, elements_);
  }

  void scale(int matrix) {
    SinkhornScale operation = sinkhorn_scale_command(problem_);
    std::vector<Storage> reads{elements_.storage};
    if (warm()) load_warm(operation, warm_rows_, warm_columns_, matrix, 1, reads);
    operation.source = elements_.address;
    operation.source_pitch_bytes = elements_.pitch_bytes;
    operation.matrix_stride_bytes = shape_.rows * elements_.pitch_bytes;
    operation.row_scalings = rows_.address;
    operation.column_scalings = columns_.address;
    operation.counts = counts_.address;
    std::vector<Storage> writes{rows_.storage, columns_.storage, counts_.storage};
    if (held()) {
      operation.kernel_wanted = true;
      operation.kernel = kernel_.address;
      operation.kernel_pitch_bytes = kernel_.pitch_bytes;
      operation.kernel_stride_bytes = shape_.rows * kernel_.pitch_bytes;
      writes.push_back(kernel_.storage);
    }
    bench_.builder.add(operation, Phase::kNormalise, 0, reads, writes);
    store_scalings(rows_, columns_, counts_, matrix, 1);
  }

  struct Stripe {
    Buffer kernel, out;
  };

  // Rows by stripes that fit the scratchpad twice, from whole words of row
  // scalings on.
  void make_stripes() {
    const ScratchpadPlan& plan = bench_.scratchpad;
    const bool kernel = problem_.kernel_wanted && !held();
    const std::int64_t row_bytes =
        (kernel ? plan.matrix_bytes(1, std::int64_t{4} * shape_.columns) : 0) +
        plan.matrix_bytes(1, std::max<std::int64_t>(4, std::int64_t{4} * problem_.value_width));
    const std::int64_t granule = bench_.config.scratchpad.word_bytes / 4;
    const std::int64_t fit = plan.free_bytes() / (2 * row_bytes) / granule * granule;
    // Without V four stripes, so that the DMA stores one while the unit makes the
    // next; with V as few as fit, since each of them takes V in anew.
    const int wanted = problem_.value_width > 0 ? 1 : 4;
    stripe_rows_ = std::clamp<std::int64_t>(round_up(divide_up(shape_.rows, wanted), granule),
                                            granule, std::max(granule, fit));
    std::vector<Stripe> stripes;
    for (int i = 0; i < 2; ++i) {
      Stripe stripe;
      const std::int64_t rows = std::min<std::int64_t>(stripe_rows_, shape_.rows);
      if (kernel) {
        stripe.kernel =
            bench_.scratchpad.matrix(rows, std::int64_t{4} * shape_.columns, "rows of K");
      }
      if (problem_.value_width > 0) {
        stripe.out =
            bench_.scratchpad.matrix(rows, std::int64_t{4} * problem_.value_width, "rows of out");
      }
      stripes.push_back(stripe);
    }
    stripes_ = Rotation<Stripe>(std::move(stripes));
    bench_.choices.push_back("K applied in stripes of " + std::to_string(stripe_rows_) + " rows");
  }

  void apply(int matrix) {
    if (stripe_rows_ == 0) make_stripes();
    for (std::int64_t row = 0; row < shape_.rows; row += stripe_rows_) {
      apply_stripe(matrix, row, std::min(stripe_rows_, shape_.rows - row));
    }
  }

  void apply_stripe(int matrix, std::int64_t row, std::int64_t rows) {
    const Stripe& stripe = stripes_.next();
    SinkhornApply operation = sinkhorn_apply_command(problem_);
    const Buffer& source = held() ? kernel_ : elements_;
    operation.source = offset(source.address, row * source.pitch_bytes);
    operation.source_pitch_bytes = source.pitch_bytes;
    std::vector<Storage> reads{source.storage};
    std::vector<Storage> writes;
    if (held()) {
      operation.from = SinkhornSource::kKernel;
      operation.element_bytes = 4;
    } else {
      operation.row_scalings = offset(rows_.address, 4 * row);
      operation.column_scalings = columns_.address;
      reads.push_back(rows_.storage);
      reads.push_back(columns_.storage);
    }
    if (problem_.kernel_wanted && !held()) {
      operation.kernel_wanted = true;
      operation.kernel = stripe.kernel.address;
      operation.kernel_pitch_bytes = stripe.kernel.pitch_bytes;
      writes.push_back(stripe.kernel.storage);
    }
    if (problem_.value_width > 0) {
      operation.values = values_.address;
      operation.value_pitch_bytes = values_.pitch_bytes;
      operation.destination = stripe.out.address;
      operation.destination_pitch_bytes = stripe.out.pitch_bytes;
      reads.push_back(values_.storage);
      writes.push_back(stripe.out.storage);
    }
    operation.rows = static_cast<int>(rows);
    operation.first_row = static_cast<int>(row);
    bench_.builder.add(operation, Phase::kWeightedValues, 0, reads, writes);
    if (operation.kernel_wanted) {
      store("kernel", stripe.kernel, matrix * shape_.elements() + row * shape_.columns, rows,
            shape_.columns);
    }
    if (problem_.value_width > 0) {
      bench_.store(stripe.out, bench_.dram.at("out"), row, rows, 0, problem_.value_width);
    }
  }

  Workbench bench_;
  const SinkhornProblem& problem_;
  const model::SinkhornShape& shape_;
  Buffer elements_, warm_rows_, warm_columns_, rows_, columns_, counts_, kernel_, values_;
  std::int64_t stripe_rows_ = 0;
  Rotation<Stripe> stripes_{{}};
};

}  // namespace

Mapping map_sinkhorn(const ChipConfig& config, const SinkhornProblem& problem) {
  return SinkhornMapper(config, problem).map();
}

}  // namespace quadrille::hw
