// Tests of `quadrille eval`: tensors in, tensors out, refusals in one line.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "app/files/safetensors.h"
#include "app/workload/random_data.h"
#include "testbench/common/expect_bad_input.h"

namespace quadrille::testbench {

using app::Dtype;
using app::RandomData;
using app::SafetensorsFile;
using app::SafetensorsWriter;
using app::Shape;

class EvalFixture : public testing::Test {
 protected:
  using Sizes = std::vector<std::pair<std::string, Shape>>;

  std::string write(const Sizes& tensors, const std::string& name = "in.safetensors") {
    RandomData random(7);
    SafetensorsWriter writer;
    for (const auto& [tensor, shape] : tensors) {
      writer.add_f64(tensor, shape,
                     random.normal(static_cast<std::size_t>(app::element_count(shape)), 1.0));
    }
    writer.write(folder_.file(name));
    return folder_.file(name);
  }

  std::vector<std::string> arguments(const std::string& op, const std::string& level,
                                     const std::string& input,
                                     const std::vector<std::string>& settings = {}) {
    std::vector<std::string> result = {"eval", op,   "--level", level, "-i",
                                       input,  "-o", out(),     "-c",  "small"};
    for (const std::string& setting : settings) {
      result.emplace_back("--set");
      result.push_back(setting);
    }
    return result;
  }

  SafetensorsFile eval(const std::string& op, const std::string& level, const std::string& input,
                       const std::vector<std::string>& settings = {}) {
    const ProgramRun run = run_program(arguments(op, level, input, settings));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.err, "");
    return SafetensorsFile::open(out());
  }

  void refuse(const std::string& op, const std::string& input,
              const std::vector<std::string>& parts,
              const std::vector<std::string>& settings = {}) {
    expect_bad_input(arguments(op, "fixed", input, settings), parts);
    EXPECT_FALSE(std::filesystem::exists(out()));
  }

  std::string out() const { return folder_.file("out.safetensors"); }

  TemporaryFolder folder_;
};

}  // namespace quadrille::testbench
