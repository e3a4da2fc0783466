#include "hw/engines/cim/exact_product.h"

#include <omp.h>

#include <array>
#include <cstring>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>

#include "hw/engines/multiversion.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using dnnl::memory;

memory::desc matrix_desc(std::int64_t rows, std::int64_t columns, memory::data_type type,
                         std::int64_t pitch) {
  return {{rows, columns}, type, memory::dims{pitch, 1}};
}

/// Shape of a product; also the key of its compiled primitive.
struct ProductShape {
  int tokens, k, n;
  std::int64_t x_pitch, out_pitch;  ///< Elements.
  bool x_signed;

  std::array<std::int64_t, 6> key() const {
    return {tokens, k, n, x_pitch, out_pitch, x_signed ? 1 : 0};
  }
};

struct Primitive {
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul matmul;
};

/// oneDNN's engine and stream and the primitives compiled so far, one set per
/// thread. The simulator owns its thread: oneDNN must not start others.
class OneDnn {
 public:
  static OneDnn& instance() {
    thread_local OneDnn dnnl;
    return dnnl;
  }

  const Primitive& primitive(const ProductShape& shape) {
    const auto key = shape.key();
    const auto found = primitives_.find(key);
    if (found != primitives_.end()) return found->second;
    // A sweep over many shapes must not grow without bound.
    if (primitives_.size() >= kMaxPrimitives) primitives_.clear();
    const auto x_type = shape.x_signed ? memory::data_type::s8 : memory::data_type::u8;
    const dnnl::matmul::desc operation(
        matrix_desc(shape.tokens, shape.k, x_type, shape.x_pitch),
        memory::desc({shape.k, shape.n}, memory::data_type::s8, memory::format_tag::any),
        matrix_desc(shape.tokens, shape.n, memory::data_type::s32, shape.out_pitch));
    const dnnl::matmul::primitive_desc desc(operation, engine_);
    return primitives_.emplace(key, Primitive{desc, dnnl::matmul(desc)}).first->second;
  }

  const dnnl::reorder& packing(const memory& from, const memory& to, const ProductShape& shape) {
    const auto key = shape.key();
    const auto found = packings_.find(key);
    if (found != packings_.end()) return found->second;
    if (packings_.size() >= kMaxPrimitives) packings_.clear();
    return packings_.emplace(key, dnnl::reorder(from, to)).first->second;
  }

  const dnnl::engine& engine() const { return engine_; }
  dnnl::stream& stream() { return stream_; }

 private:
  OneDnn() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) { omp_set_num_threads(1); }

  static constexpr std::size_t kMaxPrimitives = 1024;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::map<std::array<std::int64_t, 6>, Primitive> primitives_;
  std::map<std::array<std::int64_t, 6>, dnnl::reorder> packings_;
};

/// sum_i x[i] * w[i]; the products of 16-bit operands fit 32 bits.
QUADRILLE_MULTIVERSION
void dot_products(const std::int16_t* x, const std::int16_t* columns, int k, int n,
                  std::int32_t* out) {
  for (int j = 0; j < n; ++j) {
    const std::int16_t* w = columns + static_cast<std::ptrdiff_t>(j) * k;
    std::int32_t sum = 0;
    for (int i = 0; i < k; ++i) sum += std::int32_t{x[i]} * std::int32_t{w[i]};
    out[j] = sum;
  }
}

}  // namespace

bool onednn_is_exact() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return false;
  }
}

ProductKernel best_product_kernel() {
  static const ProductKernel best =
      onednn_is_exact() ? ProductKernel::kOneDnn : ProductKernel::kPortable;
  return best;
}

struct ExactProduct::Packed {
  memory blocked;
  std::vector<std::int16_t> columns;  ///< n x k, widened.
};

ExactProduct::ExactProduct(std::vector<std::int8_t> weights, int k, int n, ProductKernel kernel)
    : weights_(std::move(weights)), k_(k), n_(n), kernel_(kernel) {
  if (k > kMaxTerms) {
    throw InvariantError("product of " + std::to_string(k) + " terms, 32-bit sums hold " +
                         std::to_string(kMaxTerms));
  }
}
ExactProduct::~ExactProduct() = default;
ExactProduct::ExactProduct(ExactProduct&&) noexcept = default;
ExactProduct& ExactProduct::operator=(ExactProduct&&) noexcept = default;

std::vector<std::int8_t> ExactProduct::release() {
  packed_.reset();
  return std::move(weights_);
}

void ExactProduct::multiply(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed, int tokens,
                            std::uint8_t* out, std::int64_t out_pitch) {
  if (!packed_) packed_ = std::make_unique<Packed>();
  const auto k = static_cast<std::size_t>(k_);
  const auto n = static_cast<std::size_t>(n_);
  if (kernel_ == ProductKernel::kOneDnn) {
    OneDnn& dnnl = OneDnn::instance();
    // A single row's pitch is arbitrary to the caller, not to oneDNN.
    const ProductShape shape{
        tokens, k_, n_, tokens == 1 ? k_ : x_pitch, tokens == 1 ? n_ : out_pitch / 4, x_signed};
    const Primitive& primitive = dnnl.primitive(shape);
    const memory::desc wanted = primitive.desc.weights_desc();
    if (!packed_->blocked.get(true) || packed_->blocked.get_desc() != wanted) {
      packed_->blocked = memory(wanted, dnnl.engine());
      memory plain(matrix_desc(k_, n_, memory::data_type::s8, n_), dnnl.engine(), weights_.data());
      dnnl.packing(plain, packed_->blocked, shape).execute(dnnl.stream(), plain, packed_->blocked);
    }
    memory source(primitive.desc.src_desc(), dnnl.engine(), const_cast<std::uint8_t*>(x));
    memory destination(primitive.desc.dst_desc(), dnnl.engine(), out);
    primitive.matmul.execute(dnnl.stream(), {{DNNL_ARG_SRC, source},
                                             {DNNL_ARG_WEIGHTS, packed_->blocked},
                                             {DNNL_ARG_DST, destination}});
    dnnl.stream().wait();
    return;
  }
  if (packed_->columns.empty()) {
    packed_->columns.resize(k * n);
    for (std::size_t i = 0; i < k; ++i)
      for (std::size_t j = 0; j < n; ++j) packed_->columns[j * k + i] = weights_[i * n + j];
  }
  std::vector<std::int16_t> row(k);
  std::vector<std::int32_t> sums(n);
  for (int t = 0; t < tokens; ++t) {
    const std::uint8_t* codes = x + t * x_pitch;
    for (std::size_t i = 0; i < k; ++i)
      row[i] = x_signed ? static_cast<std::int8_t>(codes[i]) : std::int16_t{codes[i]};
    dot_products(row.data(), packed_->columns.data(), k_, n_, sums.data());
    std::memcpy(out + t * out_pitch, sums.data(), 4 * n);
  }
}

}  // namespace quadrille::hw
