// Question: does our float model, reading the shipped checkpoints, give the
// outputs that the training code computed?
#include <gtest/gtest.h>

#include <cmath>

#include "app/config/workload_file.h"
#include "app/files/safetensors.h"
#include "app/workload/checkpoint.h"
#include "app/workload/layer_data.h"

namespace quadrille::testbench {
namespace {

const std::string kRoot = QUADRILLE_SOURCE_DIR;

class TrainedTwins : public testing::TestWithParam<const char*> {};

TEST_P(TrainedTwins, GiveTheReferenceLossesAndHeadOutputs) {
  const std::string twin = GetParam();
  const app::Workload workload =
      app::read_workload_file(kRoot + "/workloads/licences-" + twin + ".yaml");
  const app::LayerData data = app::load_layer_data(workload);
  const auto& settings = std::get<app::AttentionLayerWorkload>(workload.what);
  const model::AttentionShape shape = app::shape_of(workload.path, settings);
  ASSERT_TRUE(data.context.has_value());
  const auto reference =
      app::SafetensorsFile::open(kRoot + "/checkpoints/licences-lm/reference.safetensors");
  const model::LanguageModelRun run =
      run_language_model(data.context->language_model, shape, data.context->tokens);

  // The reference is stored in single precision.
  const auto nll = reference.read_f64(twin + ".nll");
  ASSERT_EQ(run.losses.size(), nll.size());
  for (std::size_t i = 0; i < nll.size(); ++i)
    EXPECT_NEAR(run.losses[i], nll[i], 1e-6 * (1.0 + nll[i])) << "byte " << i + 1;
  EXPECT_NEAR(run.loss, reference.read_f64(twin + ".mean_nll")[0], 1e-6);
  EXPECT_EQ(data.context->float_loss, run.loss);
  const auto logits = reference.read_f64(twin + ".logits_last");
  const std::size_t last = run.logits.size() - logits.size();
  for (std::size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(run.logits[last + i], logits[i], 1e-5) << "logit " << i;

  const model::AttentionFloat layer =
      attention_float(shape, data.x, data.weights, data.triples, settings.scale);
  const auto head = reference.read_f64(twin + ".h.0.head.0.attn_out");
  const auto inner = static_cast<std::size_t>(shape.inner_width());
  const auto width = static_cast<std::size_t>(shape.head_width);
  for (std::size_t i = 0; i < head.size(); ++i)
    EXPECT_NEAR(layer.attention[i / width * inner + i % width], head[i], 1e-5) << "element " << i;
  if (twin == "damf") {
    EXPECT_NEAR(data.triples[0].sigma / reference.read_f64("damf.h.0.head.0.sigma_max")[0], 1.0,
                1e-6);
    const auto u = reference.read_f64("damf.h.0.head.0.u");
    const auto v = reference.read_f64("damf.h.0.head.0.v");
    for (std::size_t i = 0; i < u.size(); ++i) {
      EXPECT_NEAR(data.triples[0].u[i], u[i], 1e-6) << i;
      EXPECT_NEAR(data.triples[0].v[i], v[i], 1e-6) << i;
    }
  }
}

TEST_P(TrainedTwins, TheLayersOwnOutputGivesTheFloatLoss) {
  const app::Workload workload =
      app::read_workload_file(kRoot + "/workloads/licences-" + std::string(GetParam()) + ".yaml");
  const app::LayerData data = app::load_layer_data(workload);
  const auto& settings = std::get<app::AttentionLayerWorkload>(workload.what);
  const model::AttentionShape shape = app::shape_of(workload.path, settings);
  std::vector<double> out =
      attention_float(shape, data.x, data.weights, data.triples, settings.scale).out;
  EXPECT_NEAR(app::loss_with(*data.context, shape, out), data.context->float_loss, 1e-12);
  std::fill(out.begin(), out.end(), 0.0);
  EXPECT_GT(std::fabs(app::loss_with(*data.context, shape, out) - data.context->float_loss), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Twins, TrainedTwins, testing::Values("softmax", "damf"),
                         [](const auto& twin) { return std::string(twin.param); });

}  // namespace
}  // namespace quadrille::testbench
