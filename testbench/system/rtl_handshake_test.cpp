// Question: do the assertions of the RTL stop surroundings that break a handshake,
// on every stream that they drive?
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <variant>

#include "app/config/chip_file.h"
#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/engines/softmax/softmax_engine.h"
#include "testbench/common/layer_program.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::hw {
namespace {

enum class Break { kNothing, kCommandWithdrawn, kCommandChanged, kInputWithdrawn, kInputChanged };

/// A command that waits behind another, and a beat that waits for a command. Then
/// one of them is broken. Ends the process: 0 when nobody minded.
template <typename Operation>
[[noreturn]] void play(BeatEngine<Operation>& body, const Operation& operation,
                       const Operation& other, Break broken) {
  dup2(STDERR_FILENO, STDOUT_FILENO);  // Verilator speaks on standard output.
  const Beat first{{1}, 1};
  const Beat changed{{2}, 1};
  if (body.input_ready() || !body.command_ready()) std::exit(10);
  if (broken == Break::kInputWithdrawn || broken == Break::kInputChanged) {
    body.tick({nullptr, &first, true});
    body.tick({nullptr, &first, true});
    body.tick({nullptr, broken == Break::kInputChanged ? &changed : nullptr, true});
    body.tick({nullptr, nullptr, true});
    std::exit(0);
  }
  body.tick({&operation, nullptr, true});
  if (body.command_ready()) std::exit(11);
  body.tick({&operation, nullptr, true});
  body.tick({&operation, nullptr, true});
  if (broken == Break::kNothing) std::exit(0);
  body.tick({broken == Break::kCommandChanged ? &other : nullptr, nullptr, true});
  body.tick({nullptr, nullptr, true});
  std::exit(0);
}

template <typename Operation>
void expect_assertions(const std::string& stream,
                       const std::function<std::unique_ptr<BeatEngine<Operation>>()>& make,
                       const Operation& operation, const Operation& other) {
  SCOPED_TRACE(stream);
  const auto body = make();
  const auto stops = [&](Break broken, const std::string& place) {
    EXPECT_EXIT(play(*body, operation, other, broken), testing::KilledBySignal(SIGABRT),
                place + "_stable.OfferStable");
  };
  EXPECT_EXIT(play(*body, operation, other, Break::kNothing), testing::ExitedWithCode(0), "");
  stops(Break::kCommandWithdrawn, "command");
  stops(Break::kCommandChanged, "command");
  stops(Break::kInputWithdrawn, "input");
  stops(Break::kInputChanged, "input");
}

class RtlHandshake : public testing::Test {
 protected:
  RtlHandshake() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  /// The first command of a kind in a layer.
  template <typename Operation>
  Operation first(model::Mechanism mechanism) const {
    const Mapping mapping = lower(config_, testing_layers::layer(mechanism, 24, 64, 2, 32));
    for (const Command& command : mapping.program.commands) {
      if (const auto* operation = std::get_if<Operation>(&command.operation)) return *operation;
    }
    throw InvariantError("no such command in this layer");
  }

  const ChipConfig config_ = app::read_chip_file(testbench::source_path("chips/small.yaml"));
};

TEST_F(RtlHandshake, OfTheCimBankWritePortIsAsserted) {
  CimBank bank(config_.cim);
  const auto write = first<CimWrite>(model::Mechanism::kSoftmax);
  CimWrite narrow = write;
  narrow.rows -= 1;
  expect_assertions<CimWrite>(
      "write", [&] { return testbench::cim_rtl(bank).write; }, write, narrow);
}

TEST_F(RtlHandshake, OfTheCimBankMultiplyPortIsAsserted) {
  CimBank bank(config_.cim);
  const auto write = first<CimWrite>(model::Mechanism::kSoftmax);
  bank.start(write);
  bank.finish(write);
  const auto multiply = first<CimMultiply>(model::Mechanism::kSoftmax);
  CimMultiply fewer = multiply;
  fewer.tokens -= 1;
  expect_assertions<CimMultiply>(
      "multiply", [&] { return testbench::cim_rtl(bank).multiply; }, multiply, fewer);
}

TEST_F(RtlHandshake, OfTheSoftmaxEngineIsAsserted) {
  const auto rows = first<SoftmaxRows>(model::Mechanism::kSoftmax);
  SoftmaxRows fewer = rows;
  fewer.queries -= 1;
  expect_assertions<SoftmaxRows>(
      "softmax", [&] { return testbench::softmax_rtl(config_.softmax); }, rows, fewer);
}

TEST_F(RtlHandshake, OfTheDamfEngineIsAsserted) {
  const auto project = first<DamfProject>(model::Mechanism::kDamf);
  DamfProject fewer = project;
  fewer.tokens -= 1;
  expect_assertions<DamfOperation>(
      "damf", [&] { return testbench::damf_rtl(config_.damf); }, project, fewer);
}

TEST_F(RtlHandshake, OfTheSinkhornUnitIsAsserted) {
  const auto scale = first<SinkhornScale>(model::Mechanism::kSinkhorn);
  SinkhornScale fewer = scale;
  fewer.half_steps += 1;
  expect_assertions<SinkhornOperation>(
      "sinkhorn", [&] { return testbench::sinkhorn_rtl(config_.sinkhorn); }, scale, fewer);
}

TEST_F(RtlHandshake, OfTheLinearEngineIsAsserted) {
  const auto attend = first<LinearAttend>(model::Mechanism::kLinear);
  LinearAttend fewer = attend;
  fewer.key_tokens -= 1;
  expect_assertions<LinearAttend>(
      "linear", [&] { return testbench::linear_rtl(config_.linear); }, attend, fewer);
}

}  // namespace
}  // namespace quadrille::hw
