#include "testbench/bench/onednn_baseline.h"

#include <algorithm>
#include <chrono>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>

namespace quadrille::bench {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

// One product of a fixed shape with its operands in place.
class PackedProduct {
 public:
  PackedProduct(const dnnl::engine& engine, dnnl::stream& stream, const Product& product)
      : times_(product.times) {
    const dnnl::memory::desc x_desc({product.rows, product.inner}, Type::s8, Tag::ab);
    const dnnl::memory::desc w_any({product.inner, product.columns}, Type::s8, Tag::any);
    const dnnl::memory::desc w_plain({product.inner, product.columns}, Type::s8, Tag::ab);
    const dnnl::memory::desc y_desc({product.rows, product.columns}, Type::s32, Tag::ab);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x_desc, w_any, y_desc),
                                                   engine);
    primitive_ = dnnl::matmul(description);
    x_ = dnnl::memory(x_desc, engine);
    y_ = dnnl::memory(y_desc, engine);
    w_ = dnnl::memory(description.weights_desc(), engine);
    dnnl::memory plain(w_plain, engine);
    fill(x_);
    fill(plain);
    dnnl::reorder(plain, w_).execute(stream, plain, w_);
    stream.wait();
  }

  void run(dnnl::stream& stream) {
    for (int i = 0; i < times_; ++i) {
      primitive_.execute(stream, {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, w_}, {DNNL_ARG_DST, y_}});
    }
  }

 private:
  static void fill(dnnl::memory& memory) {
    std::mt19937 random(1);
    auto* bytes = static_cast<std::int8_t*>(memory.get_data_handle());
    for (std::size_t i = 0; i < memory.get_desc().get_size(); ++i)
      bytes[i] = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
  }

  dnnl::matmul primitive_;
  dnnl::memory x_, w_, y_;
  int times_;
};

}  // namespace

std::vector<Product> attention_layer_products(int tokens, int width, int heads) {
  const int head_width = width / heads;
  return {{tokens, width, width, 4},
          {tokens, head_width, tokens, heads},
          {tokens, tokens, head_width, heads}};
}

double onednn_seconds(const std::vector<Product>& products, int repeats) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::vector<PackedProduct> packed;
  for (const Product& product : products) packed.emplace_back(engine, stream, product);
  double best = 1e30;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    for (PackedProduct& product : packed) product.run(stream);
    stream.wait();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count());
  }
  return best;
}

std::string onednn_instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_amx:
      return "AVX-512 with AMX";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 with VNNI and BF16";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 with VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2 with VNNI";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    default:
      return "other";
  }
}

}  // namespace quadrille::bench
