#include "hw/engines/cim/exact_product.h"

#include <omp.h>

#include <array>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

using dnnl::memory;

/// A compiled primitive depends on these: tokens, k, n, pitches in elements,
/// signedness, layout.
using ProductKey = std::array<std::int64_t, 7>;

/// A compiled product with its argument slots; only their data change.
struct Primitive {
  dnnl::matmul matmul;
  memory source;
  memory weights;
  memory destination;
  std::unordered_map<int, memory> arguments;
};

/// oneDNN's engine and stream and the primitives compiled so far, one set per
/// thread. The simulator owns its thread: oneDNN must not start others.
class OneDnn {
 public:
  static OneDnn& instance() {
    thread_local OneDnn dnnl;
    return dnnl;
  }

  Primitive& primitive(const ProductKey& key) {
    const auto found = primitives_.find(key);
    if (found != primitives_.end()) return found->second;
    // A sweep over many shapes must not grow without bound.
    if (primitives_.size() >= kMaxPrimitives) primitives_.clear();
    return primitives_.emplace(key, compile(key)).first->second;
  }

  dnnl::stream& stream() { return stream_; }

 private:
  OneDnn() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) { omp_set_num_threads(1); }

  Primitive compile(const ProductKey& key) const {
    const auto [tokens, k, n, x_pitch, out_pitch, x_signed, layout] = key;
    const bool by_rows = layout == static_cast<std::int64_t>(WeightLayout::kRows);
    const memory::desc source({tokens, k},
                              x_signed != 0 ? memory::data_type::s8 : memory::data_type::u8,
                              memory::dims{x_pitch, 1});
    const memory::desc weights({k, n}, memory::data_type::s8,
                               by_rows ? memory::dims{n, 1} : memory::dims{1, k});
    const memory::desc destination({tokens, n}, memory::data_type::s32, memory::dims{out_pitch, 1});
    const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(source, weights, destination),
                                            engine_);
    Primitive primitive{dnnl::matmul(desc),
                        memory(source, engine_, nullptr),
                        memory(weights, engine_, nullptr),
                        memory(destination, engine_, nullptr),
                        {}};
    primitive.arguments = {{DNNL_ARG_SRC, primitive.source},
                           {DNNL_ARG_WEIGHTS, primitive.weights},
                           {DNNL_ARG_DST, primitive.destination}};
    return primitive;
  }

  static constexpr std::size_t kMaxPrimitives = 1024;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::map<ProductKey, Primitive> primitives_;
};

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

ExactProduct::ExactProduct(std::vector<std::int8_t> weights, int k, int n, WeightLayout layout,
                           ProductKernel kernel)
    : weights_(std::move(weights)), k_(k), n_(n), layout_(layout), kernel_(kernel) {
  if (k > kMaxTerms) {
    throw InvariantError("product of " + std::to_string(k) + " terms, 32-bit sums hold " +
                         std::to_string(kMaxTerms));
  }
}

std::vector<std::int8_t> ExactProduct::release() { return std::move(weights_); }

void ExactProduct::multiply(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed, int tokens,
                            std::uint8_t* out, std::int64_t out_pitch) {
  if (kernel_ == ProductKernel::kOneDnn) {
    multiply_onednn(x, x_pitch, x_signed, tokens, out, out_pitch);
  } else {
    if (packed_.empty()) packed_.pack(weights_.data(), k_, n_, layout_ == WeightLayout::kColumns);
    packed_.multiply(x, x_pitch, x_signed, tokens, out, out_pitch);
  }
}

void ExactProduct::multiply_onednn(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed,
                                   int tokens, std::uint8_t* out, std::int64_t out_pitch) {
  OneDnn& dnnl = OneDnn::instance();
  // A single row's pitch is arbitrary to the caller, not to oneDNN.
  Primitive& primitive =
      dnnl.primitive({tokens, k_, n_, tokens == 1 ? k_ : x_pitch, tokens == 1 ? n_ : out_pitch / 4,
                      x_signed ? 1 : 0, static_cast<std::int64_t>(layout_)});
  primitive.source.set_data_handle(const_cast<std::uint8_t*>(x), dnnl.stream());
  primitive.weights.set_data_handle(weights_.data(), dnnl.stream());
  primitive.destination.set_data_handle(out, dnnl.stream());
  primitive.matmul.execute(dnnl.stream(), primitive.arguments);
  dnnl.stream().wait();
}

}  // namespace quadrille::hw
