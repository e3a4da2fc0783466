// Question: are files and settings that contradict themselves refused by name, and is
// nothing reported that was not computed?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "app/files/safetensors.h"
#include "testbench/common/expect_bad_input.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {
namespace {

using app::SafetensorsFile;
using app::SafetensorsWriter;
using app::Shape;
using nlohmann::json;
using testing::HasSubstr;

using Tensors = std::map<std::string, std::pair<Shape, std::vector<double>>>;

class Faults : public testing::Test {
 protected:
  std::vector<double> numbers(std::size_t count) {
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(pick(random_, -1000, 1000) / 1000.0);
    return values;
  }

  std::string write(const std::string& name, const Tensors& tensors,
                    const std::map<std::string, std::string>& metadata = {}) {
    SafetensorsWriter writer;
    for (const auto& [tensor, value] : tensors) writer.add_f64(tensor, value.first, value.second);
    for (const auto& [key, value] : metadata) writer.set_metadata(key, value);
    writer.write(folder_.file(name));
    return folder_.file(name);
  }

  /// A layer of 6 tokens, 8 wide, 2 heads of 4.
  Tensors layer() {
    Tensors made;
    made["X"] = {{6, 8}, numbers(48)};
    for (const char* name : {"WQ", "WK", "WV", "WO"}) made[name] = {{8, 8}, numbers(64)};
    return made;
  }

  std::string layer_file(const std::string& mechanism, const std::string& more = "") {
    return folder_.write("w.yaml", "name: faults\nkind: attention-layer\nmechanism: " + mechanism +
                                       "\ntokens: 6\nmodel_width: 8\nheads: 2\nhead_width: 4\n" +
                                       more + "data: {source: file, tensors: t.safetensors}\n");
  }

  std::vector<std::string> run_words(const std::string& workload) {
    return {"run", "-w", workload, "-c", "small", "-o", folder_.file("out")};
  }

  json summary(const std::string& workload) {
    const ProgramRun run = run_program(run_words(workload));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    console_ = run.out;
    return json::parse(TemporaryFolder::read(folder_.file("out/summary.json")));
  }

  TemporaryFolder folder_;
  std::mt19937_64 random_{20};
  std::string console_;
};

TEST_F(Faults, LayersRefuseTensorsThatTheyDoNotHave) {
  for (const char* name : {"bQ", "WQQ", "Y", "RP", "c0"}) {
    Tensors tensors = layer();
    tensors[name] = {{8}, numbers(8)};
    write("t.safetensors", tensors);
    expect_bad_input(run_words(layer_file("softmax")),
                     {"t.safetensors: tensor '" + std::string(name) + "'", "expected only WK"});
  }
}

TEST_F(Faults, LayersRefuseMagnitudesAsOperatorsDo) {
  for (const char* mechanism : {"softmax", "damf", "linear", "sinkhorn"}) {
    for (const char* name : {"X", "WQ", "WK", "WV", "WO"}) {
      for (const double factor : {1e-200, 1e32, 1e200}) {
        Tensors tensors = layer();
        for (double& value : tensors[name].second) value *= factor;
        write("t.safetensors", tensors);
        expect_bad_input(run_words(layer_file(mechanism)),
                         {"t.safetensors: tensor '" + std::string(name) + "': largest magnitude",
                          "expected all zeros or 1e-30 to 1e+30"});
      }
    }
  }
}

TEST_F(Faults, FactorsBeyondTheHardwareNameFileTensorsAndSetting) {
  Tensors tensors = layer();
  for (double& value : tensors["X"].second) value *= 1e20;
  write("t.safetensors", tensors);
  const std::vector<std::string> words = run_words(layer_file("softmax"));
  expect_bad_input(words, {"t.safetensors: tensors 'X' (up to 9", "'WQ' (up to ", "scale 0.5",
                           "expected 2^-46 to 2^15"});
  EXPECT_LT(run_program(words).err.size(), 300U);
  write("t.safetensors", layer());
  expect_bad_input(run_words(layer_file("softmax", "softmax: {scale: 1e10}\n")),
                   {"t.safetensors: tensors 'X' (up to 0.", "scale 1e+10"});
}

TEST_F(Faults, EpsilonIsNamedWhereItIsAtFault) {
  const std::string costs = write("c.safetensors", {{"C", {{4, 4}, numbers(16)}}});
  expect_bad_input({"eval", "sinkhorn", "--level", "fixed", "-i", costs, "-o",
                    folder_.file("o.safetensors"), "--set", "epsilon=1e-7"},
                   {"c.safetensors: tensor 'C' (up to ", "epsilon 1e-07"});
}

TEST_F(Faults, ReferencesThatAreNoNumbersAreRefused) {
  // Every key is -400 wide of zero: exp(-400)^2 is nothing in double.
  Tensors tensors = layer();
  tensors["X"].second.assign(48, 1.0);
  for (const char* name : {"WQ", "WK"}) tensors[name].second.assign(64, -50.0);
  write("t.safetensors", tensors);
  expect_bad_input(run_words(layer_file("linear")),
                   {"t.safetensors: tensors 'X' (up to 1), 'WQ' (up to 50)", "query 0 in head 0",
                    "expected entries of Q and K above -300"});
}

TEST_F(Faults, PrunedHeadsOfDamfAreUniform) {
  for (const char* name : {"WQ", "WK"}) {
    for (const char* sigma : {"omit", "keep"}) {
      Tensors tensors = layer();
      for (std::size_t i = 0; i < 64; ++i) {
        if (i % 8 < 4) tensors[name].second[i] = 0.0;
      }
      write("t.safetensors", tensors);
      const json made =
          summary(layer_file("damf", std::string("damf: {mode: shift, sigma: ") + sigma + "}\n"));
      EXPECT_EQ(made["values"]["damf"]["uniform_rows"].get<int>() % 6, 0);
      EXPECT_GE(made["values"]["damf"]["uniform_rows"], 6);
    }
  }
}

TEST_F(Faults, ClampsOfInputsAreCountedAndShown) {
  write("t.safetensors", layer());
  const std::string good =
      "scales: {X: 0.01, WQ: 0.01, WK: 0.01, WV: 0.01, WO: 0.01, Q: 0.1, K: 0.1, V: 0.1, "
      "attention: 0.1}\n";
  EXPECT_EQ(summary(layer_file("softmax", good))["values"]["input"]["saturated"], 0);
  EXPECT_EQ(console_.find("of inputs and weights"), std::string::npos);
  for (const auto& [name, count] : {std::pair{"X", 48}, {"WQ", 64}, {"WO", 64}}) {
    std::string scales = good;
    const std::string key = std::string(name) + ": 0.01";
    scales.replace(scales.find(key), key.size(), std::string(name) + ": 1e-9");
    // Zeros among the numbers are no clamps.
    const std::vector<double> values =
        SafetensorsFile::open(folder_.file("t.safetensors")).read_f64(name);
    const auto zeros = std::count(values.begin(), values.end(), 0.0);
    EXPECT_EQ(summary(layer_file("softmax", scales))["values"]["input"]["saturated"],
              count - zeros);
    EXPECT_THAT(console_, HasSubstr("values of inputs and weights"));
  }
}

TEST_F(Faults, KeysThatAreAllNegativeKeepTheirWeights) {
  // Keys of -8 and -12 weigh 55 to 1, with values 1 and -1: out is 0.964. With every phi
  // code 1 it would be their mean, 0. Rounding moves a key by 12/254 and the smaller phi
  // code, 4.7, by 0.5: r = exp(-4) moves by 20 %, out by 0.007, which is 42 dB.
  std::vector<double> keys, values;
  for (int token = 0; token < 16; ++token) {
    keys.insert(keys.end(), 8, token % 2 == 0 ? -8.0 : -12.0);
    values.insert(values.end(), 8, token % 2 == 0 ? 1.0 : -1.0);
  }
  write("t.safetensors",
        {{"Q", {{16, 8}, numbers(128)}}, {"K", {{16, 8}, keys}}, {"V", {{16, 8}, values}}});
  const std::string operation = folder_.write("o.yaml",
                                              "name: negative\nkind: operator\noperator: linear\n"
                                              "data: {source: file, tensors: t.safetensors}\n");
  EXPECT_GT(summary(operation)["error"]["sqnr_db"], 42.0);
  // And in a layer, where the chip makes the keys: X W is -8 and -12.
  Tensors tensors = layer();
  for (std::size_t i = 0; i < 48; ++i)
    tensors["X"].second[i] =
        i % 8 == 0 ? (i / 8 % 2 == 0 ? 8.0 : 12.0) : 0.01 * static_cast<double>(i % 7);
  for (std::size_t i = 0; i < 64; ++i) {
    tensors["WK"].second[i] = i < 8 ? -1.0 : 0.0;
    tensors["WQ"].second[i] = i < 8 ? 0.0 : 0.5;
    tensors["WV"].second[i] = i < 8 ? (i % 2 == 0 ? 0.5 : -0.25) : 0.0;
  }
  write("t.safetensors", tensors);
  EXPECT_GT(summary(layer_file("linear"))["error"]["sqnr_db"], 25.0);
}

TEST_F(Faults, SmallNumbersHaveAnErrorToo) {
  // At 1e-7 the squares are 1e-28: an error all the same, and no "none".
  const std::string operation = folder_.write(
      "o.yaml",
      "name: small\nkind: operator\noperator: matmul\nshapes: {X: [8, 8], W: [8, 8]}\n"
      "data: {source: random, deviation: 1e-7}\n");
  const json made = summary(operation);
  EXPECT_GT(made["error"]["max_abs"], 0.0);
  EXPECT_GT(made["error"]["sqnr_db"], 20.0);
}

TEST_F(Faults, ScalingsOfOneRunStartTheNext) {
  // One column lies 80 nats below the rest: its scaling is 1e34 and more.
  std::vector<double> costs = numbers(36);
  for (std::size_t i = 0; i < 36; i += 6) costs[i] -= 80.0;
  const std::string cold = write("cold.safetensors", {{"C", {{6, 6}, costs}}});
  const std::string out = folder_.file("o.safetensors");
  const auto eval = [&](const std::string& in) {
    return run_program({"eval", "sinkhorn", "--level", "all", "--allow-missing-rtl", "-c", "small",
                        "-i", in, "-o", out});
  };
  ASSERT_EQ(eval(cold).exit_code, 0);
  const std::vector<double> c = SafetensorsFile::open(out).read_f64("c");
  EXPECT_GT(*std::max_element(c.begin(), c.end()), 1e30);
  const std::string warm = write("warm.safetensors", {{"C", {{6, 6}, costs}}, {"c0", {{6}, c}}});
  EXPECT_EQ(eval(warm).exit_code, 0) << eval(warm).err;
  // What double holds, the unit takes; only zeros have no logarithm.
  for (const double scaling : {1e-300, 1e300}) {
    const std::string far =
        write("far.safetensors",
              {{"C", {{6, 6}, costs}}, {"c0", {{6}, std::vector<double>(6, scaling)}}});
    EXPECT_EQ(eval(far).exit_code, 0) << eval(far).err;
  }
}

TEST_F(Faults, TechnologyRowsKeepTheirUnits) {
  const std::string text = TemporaryFolder::read(source_folder() + "/technology/cmos28.yaml");
  const std::string chip = folder_.write("chip.yaml", "base: small\ntechnology: tech.yaml\n");
  int rows = 0;
  for (std::size_t at = text.find("unit: "); at != std::string::npos;
       at = text.find("unit: ", at + 1)) {
    std::string changed = text;
    changed.insert(at + 6, "f");
    folder_.write("tech.yaml", changed);
    ++rows;
    expect_bad_input(
        {"run", "-w", "smoke-softmax", "-c", chip, "--no-data", "-o", folder_.file("out")},
        {"tech.yaml: line", ".unit: expected '", "', the unit in which "});
  }
  EXPECT_GE(rows, 30) << "every row of the table was tried";
}

TEST_F(Faults, SeedsAreDecimal) {
  const auto seed = [&](const std::string& text) {
    return std::vector<std::string>{
        "run",       "-w",     "smoke-linear", "-c", "small",
        "--no-data", "--seed", text,           "-o", folder_.file("out")};
  };
  ASSERT_EQ(run_program(seed("010")).exit_code, 0);
  EXPECT_EQ(json::parse(TemporaryFolder::read(folder_.file("out/summary.json")))["seed"], 10);
  for (const char* wrong : {"0x10", "1e3", "-1", "9223372036854775808", "", " 1", "1.0", "+1"})
    expect_bad_input(seed(wrong), {"--seed", "expected decimal digits, from 0 to 2^63 - 1"});
}

TEST_F(Faults, HeatFlowsThatRunAwayNameTheirLogits) {
  std::string text = TemporaryFolder::read(source_folder() + "/workloads/heat-flow.yaml");
  const std::string key = "logit_fraction_bits: ";
  text.replace(text.find(key) + key.size(), 2, "14");
  expect_bad_input(
      {"run", "-w", folder_.write("w.yaml", text), "-o", folder_.file("out")},
      {"w.yaml: line", "integer.logit_fraction_bits", "14 fraction bits reach 2 octaves"});
}

/// Checkpoints of GPT-2's shape, damaged one way each.
class Checkpoints : public Faults {
 protected:
  Tensors model() {
    Tensors made;
    made["wte.weight"] = {{256, 8}, numbers(2048)};
    made["wpe.weight"] = {{16, 8}, numbers(128)};
    for (const char* name : {"wte_shift.1.weight", "wte_shift.2.weight"})
      made[name] = {{256, 8}, numbers(2048)};
    made["ln_f.weight"] = made["ln_f.bias"] = {{8}, numbers(8)};
    for (int block = 0; block < 3; ++block) {
      const std::string h = "h." + std::to_string(block) + ".";
      for (const char* name :
           {"ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias", "mlp.c_proj.bias"})
        made[h + name] = {{8}, numbers(8)};
      made[h + "attn.c_attn.weight"] = {{8, 24}, numbers(192)};
      made[h + "attn.c_proj.weight"] = {{8, 8}, numbers(64)};
      made[h + "mlp.c_fc.weight"] = {{8, 32}, numbers(256)};
      made[h + "mlp.c_fc.bias"] = {{32}, numbers(32)};
      made[h + "mlp.c_proj.weight"] = {{32, 8}, numbers(256)};
    }
    return made;
  }

  std::string workload(int tokens = 12) {
    folder_.write("text.txt", "the quick brown fox");
    return folder_.write(
        "m.yaml", "name: model\nkind: attention-layer\nmechanism: softmax\ntokens: " +
                      std::to_string(tokens) +
                      "\nmodel_width: 8\nheads: 2\nhead_width: 4\ncausal: true\ndata: {source: "
                      "model, checkpoint: ck.safetensors, layer: 0, text: text.txt}\n");
  }

  void refuse(const Tensors& tensors, const std::vector<std::string>& parts,
              const std::map<std::string, std::string>& metadata = {}) {
    write("ck.safetensors", tensors, metadata);
    expect_bad_input(run_words(workload()), parts);
  }
};

TEST_F(Checkpoints, EveryMissingTensorIsMissed) {
  const Tensors whole = model();
  for (const auto& entry : whole) {
    const std::string& name = entry.first;
    // Without its last table of earlier tokens it is another model, and valid.
    if (name == "wte_shift.2.weight") continue;
    Tensors damaged = whole;
    damaged.erase(name);
    refuse(damaged, {"ck.safetensors: tensor '" + name + "'", "expected in the file"});
  }
}

TEST_F(Checkpoints, TensorsThatNobodyReadsAreRefused) {
  for (const char* name : {"h.1.attn.c_atn.weight", "lm_head.bias", "wte_shift.1.bias",
                           "score.weight", "h.0.mlp.c_gate.weight"}) {
    Tensors more = model();
    more[name] = {{8}, numbers(8)};
    refuse(more, {"ck.safetensors: tensor '" + std::string(name) + "'", "has no use for it"});
  }
}

TEST_F(Checkpoints, MetadataMustAgreeWithTheTensors) {
  for (const auto& [key, value] : {std::pair{"n_layer", "2"},
                                   {"n_ctx", "32"},
                                   {"n_shift", "2"},
                                   {"n_embd", "16"},
                                   {"n_head", "4"},
                                   {"vocab_size", "50257"}}) {
    refuse(model(), {"metadata key '" + std::string(key) + "'", value}, {{key, value}});
  }
  write("ck.safetensors", model(),
        {{"n_layer", "3"}, {"n_ctx", "16"}, {"n_shift", "3"}, {"n_embd", "8"}, {"n_head", "2"}});
  EXPECT_EQ(run_program(run_words(workload())).exit_code, 0);
}

TEST_F(Checkpoints, AnOutputLayerOfItsOwnIsUsed) {
  Tensors tied = model();
  write("ck.safetensors", tied);
  const double loss = summary(workload())["loss"]["float"];
  tied["lm_head.weight"] = tied["wte.weight"];
  write("ck.safetensors", tied);
  EXPECT_EQ(summary(workload())["loss"]["float"], loss);
  // Of zeros every token is as likely: ln 256 nats.
  tied["lm_head.weight"].second.assign(2048, 0.0);
  write("ck.safetensors", tied);
  const json made = summary(workload())["loss"];
  EXPECT_NEAR(made["float"].get<double>(), std::log(256.0), 1e-12);
  EXPECT_NEAR(made["chip"].get<double>(), std::log(256.0), 1e-12);
  tied["lm_head.weight"] = {{255, 8}, numbers(2040)};
  refuse(tied, {"tensor 'lm_head.weight': expected shape [256,8], found [255,8]"});
}

TEST_F(Checkpoints, ASingleTokenHasNoLoss) {
  write("ck.safetensors", model());
  const json made = summary(workload(1));
  EXPECT_TRUE(made["loss"].is_null());
  EXPECT_EQ(console_.find("loss"), std::string::npos);
}

}  // namespace
}  // namespace quadrille::testbench
