// Question: does our float model, reading the shipped checkpoints, give the
// outputs that the training code computed?
#include <gtest/gtest.h>

#include <cmath>

#include "app/config/workload_file.h"
#include "app/files/safetensors.h"
#include "app/networks/attention_layer.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

const std::string kRoot = source_folder();

app::AttentionLayerWorkload layer_of(const std::string& twin) {
  return std::get<app::AttentionLayerWorkload>(
      app::read_workload_file(kRoot + "/workloads/licences-" + twin + ".yaml").what);
}

const std::vector<double>& value(const app::LanguageContext& context, const std::string& name) {
  return context.values[static_cast<std::size_t>(context.graph.find(name))];
}

class TrainedTwins : public testing::TestWithParam<const char*> {};

TEST_P(TrainedTwins, GiveTheReferenceLossesAndHeadOutputs) {
  const std::string twin = GetParam();
  const app::AttentionLayerWorkload workload = layer_of(twin);
  const app::Task task = app::attention_layer_task("licences", workload, true);
  ASSERT_TRUE(task.context.has_value());
  const app::LanguageContext& context = *task.context;
  const auto reference =
      app::SafetensorsFile::open(kRoot + "/checkpoints/licences-lm/reference.safetensors");

  // The reference is stored in single precision.
  const auto nll = reference.read_f64(twin + ".nll");
  const std::vector<double>& all_logits = value(context, "logits");
  const std::vector<double> losses = app::next_token_losses(all_logits, context.tokens);
  ASSERT_EQ(losses.size(), nll.size());
  for (std::size_t i = 0; i < nll.size(); ++i)
    EXPECT_NEAR(losses[i], nll[i], 1e-6 * (1.0 + nll[i])) << "byte " << i + 1;
  EXPECT_NEAR(context.float_loss, reference.read_f64(twin + ".mean_nll")[0], 1e-6);
  EXPECT_EQ(context.float_loss, app::mean_loss(losses));
  const auto logits = reference.read_f64(twin + ".logits_last");
  const std::size_t last = all_logits.size() - logits.size();
  for (std::size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(all_logits[last + i], logits[i], 1e-5) << "logit " << i;

  const model::Values values = model::evaluate(task.graph, task.values);
  const auto of_task = [&](const char* name) {
    return values[static_cast<std::size_t>(task.graph.find(name))];
  };
  EXPECT_EQ(of_task("attention"), value(context, "h.0.attn.attention"));
  const auto head = reference.read_f64(twin + ".h.0.head.0.attn_out");
  const auto width = static_cast<std::size_t>(workload.head_width);
  const std::size_t inner = static_cast<std::size_t>(workload.heads) * width;
  for (std::size_t i = 0; i < head.size(); ++i)
    EXPECT_NEAR(of_task("attention")[i / width * inner + i % width], head[i], 1e-5) << i;
  if (twin == "damf") {
    const auto& op = std::get<model::DamfAttention>(task.graph.nodes[2].op);
    EXPECT_NEAR(op.sigma[0] / reference.read_f64("damf.h.0.head.0.sigma_max")[0], 1.0, 1e-6);
    const auto u = reference.read_f64("damf.h.0.head.0.u");
    const auto v = reference.read_f64("damf.h.0.head.0.v");
    for (std::size_t i = 0; i < u.size(); ++i) {
      EXPECT_NEAR(of_task("u")[i], u[i], 1e-6) << i;
      EXPECT_NEAR(of_task("v")[i], v[i], 1e-6) << i;
    }
  }
}

TEST_P(TrainedTwins, TheLayersOwnOutputGivesTheFloatLoss) {
  const app::Task task = app::attention_layer_task("licences", layer_of(GetParam()), true);
  const auto id = static_cast<std::size_t>(task.output("out").tensor);
  std::vector<double> out = model::evaluate(task.graph, task.values)[id];
  EXPECT_NEAR(app::loss_with(*task.context, out), task.context->float_loss, 1e-12);
  std::fill(out.begin(), out.end(), 0.0);
  EXPECT_GT(std::fabs(app::loss_with(*task.context, out) - task.context->float_loss), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Twins, TrainedTwins, testing::Values("softmax", "damf"),
                         [](const auto& twin) { return std::string(twin.param); });

}  // namespace
}  // namespace quadrille::testbench
