#include "app/workload/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/config/choices.h"
#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

class Reader {
 public:
  explicit Reader(const SafetensorsFile& file) : file_(file) {
    if (file.has("transformer.wte.weight")) prefix_ = "transformer.";
  }

  bool has(const std::string& name) const { return file_.has(prefix_ + name); }
  const Shape& shape(const std::string& name) const { return file_.info(prefix_ + name).shape; }
  std::vector<double> read(const std::string& name, const Shape& expected) const {
    file_.require_shape(prefix_ + name, expected);
    return file_.read_f64(prefix_ + name);
  }
  [[noreturn]] void fail(const std::string& name, const std::string& expectation) const {
    throw InputError(file_.path(), "tensor " + in_quotes(prefix_ + name), expectation);
  }
  void require_zero(const std::string& name, const Shape& expected) const {
    if (!has(name)) return;
    const std::vector<double> values = read(name, expected);
    if (std::any_of(values.begin(), values.end(), [](double v) { return v != 0.0; })) {
      fail(name, "expected zeros: the chip's attention projections have no bias");
    }
  }

 private:
  const SafetensorsFile& file_;
  std::string prefix_;
};

std::vector<double> columns(const std::vector<double>& matrix, std::size_t row_width,
                            std::size_t first, std::size_t count) {
  std::vector<double> result;
  for (std::size_t row = 0; row < matrix.size(); row += row_width) {
    for (std::size_t c = 0; c < count; ++c) result.push_back(matrix[row + first + c]);
  }
  return result;
}

model::TransformerBlock read_block(const Reader& reader, const std::string& name, std::int64_t d) {
  model::TransformerBlock block;
  block.ln_1_gamma = reader.read(name + "ln_1.weight", {d});
  block.ln_1_beta = reader.read(name + "ln_1.bias", {d});
  const std::vector<double> qkv = reader.read(name + "attn.c_attn.weight", {d, 3 * d});
  reader.require_zero(name + "attn.c_attn.bias", {3 * d});
  const auto width = static_cast<std::size_t>(d);
  block.attention.wq = columns(qkv, 3 * width, 0, width);
  block.attention.wk = columns(qkv, 3 * width, width, width);
  block.attention.wv = columns(qkv, 3 * width, 2 * width, width);
  block.attention.wo = reader.read(name + "attn.c_proj.weight", {d, d});
  reader.require_zero(name + "attn.c_proj.bias", {d});
  block.ln_2_gamma = reader.read(name + "ln_2.weight", {d});
  block.ln_2_beta = reader.read(name + "ln_2.bias", {d});
  block.fc = reader.read(name + "mlp.c_fc.weight", {d, -1});
  const std::int64_t hidden = reader.shape(name + "mlp.c_fc.weight")[1];
  block.fc_bias = reader.read(name + "mlp.c_fc.bias", {hidden});
  block.proj = reader.read(name + "mlp.c_proj.weight", {hidden, d});
  block.proj_bias = reader.read(name + "mlp.c_proj.bias", {d});
  return block;
}

void require_metadata(const SafetensorsFile& file, const std::string& key,
                      const std::string& stated) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end() || found->second == stated) return;
  throw InputError(file.path(), "metadata key " + in_quotes(key),
                   fmt::format("the checkpoint was trained with {}, the workload says {}",
                               in_quotes(found->second), stated));
}

}  // namespace

model::LanguageModel read_checkpoint(const SafetensorsFile& file,
                                     const model::AttentionShape& shape) {
  const Reader reader(file);
  model::LanguageModel model;
  const std::int64_t d = shape.model_width;
  model.width = shape.model_width;
  model.token_embedding = reader.read("wte.weight", {-1, d});
  model.vocabulary = static_cast<int>(reader.shape("wte.weight")[0]);
  model.position_embedding = reader.read("wpe.weight", {-1, d});
  model.context = static_cast<int>(reader.shape("wpe.weight")[0]);
  for (int j = 1; reader.has(fmt::format("wte_shift.{}.weight", j)); ++j) {
    model.earlier_embedding.push_back(
        reader.read(fmt::format("wte_shift.{}.weight", j), {model.vocabulary, d}));
  }
  while (reader.has(fmt::format("h.{}.ln_1.weight", model.blocks.size())))
    model.blocks.push_back(read_block(reader, fmt::format("h.{}.", model.blocks.size()), d));
  if (model.blocks.empty()) reader.fail("h.0.ln_1.weight", "missing, expected at least one block");
  model.ln_f_gamma = reader.read("ln_f.weight", {d});
  model.ln_f_beta = reader.read("ln_f.bias", {d});
  if (shape.inner_width() != shape.model_width) {
    throw InputError(file.path(), "model",
                     fmt::format("heads times head_width is {}, expected the checkpoint's width {}",
                                 shape.inner_width(), d));
  }
  require_metadata(file, "n_head", std::to_string(shape.heads));
  require_metadata(file, "attention", word_of(kMechanismChoices, shape.mechanism));
  if (shape.mechanism == model::Mechanism::kDamf) {
    require_metadata(file, "damf.amax", word_of(kMaximumChoices, shape.damf.maximum));
    require_metadata(file, "damf.sigma", word_of(kSigmaChoices, shape.damf.keep_sigma));
  }
  return model;
}

}  // namespace quadrille::app
