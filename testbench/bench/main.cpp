// `make bench`: the project's speed as ratios, measured in one run, on one
// thread. Prints a table and writes bench.json beside the program's folder.
//
//   quadrille_bench [FILE.json]
//   quadrille_bench --linear-tokens L     one run of linear attention, no data
//
// A simulation's time is everything a user waits for once the integers are
// there: mapping, building the chip, filling its DRAM, running, reading back.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <systemc>

#include "app/config/chip_file.h"
#include "app/files/atomic_file.h"
#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "app/rtl/built_rtl.h"
#include "app/simulation.h"
#include "app/sweep/sweep.h"
#include "hw/engines/cim/exact_product.h"
#include "hw/mapper/mapping.h"
#include "testbench/bench/multiply_peak.h"
#include "testbench/bench/onednn_baseline.h"
#include "testbench/common/layer_program.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::bench {
namespace {

constexpr int kTokens = 128;
constexpr int kWidth = 768;
constexpr int kHeads = 12;
/// Microseconds: what the lowerings of layers of before took for this layer.
constexpr double kLoweringGoalUs = 34.0;

double seconds_of(const std::function<void()>& work, int repeats) {
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count());
  }
  return best;
}

// One simulation of the layer, from the lowering to the outputs' bytes; null
// inputs: without data.
void simulate(const hw::ChipConfig& config, const model::IntegerGraph& layer,
              const model::ByteTensors* inputs, const app::Body& body) {
  app::run_on_chip(config, body, app::make_job(config, layer), inputs);
}

model::IntegerGraph bert_base(model::Mechanism mechanism) {
  return testing_layers::layer(mechanism, kTokens, kWidth, kHeads, kWidth / kHeads);
}

// Causal linear attention, d = 64, without data: timing and counters only.
void simulate_linear(const hw::ChipConfig& config, std::int64_t tokens) {
  const app::ShapedTensors shapes("bench",
                                  {{"Q", {tokens, 64}}, {"K", {tokens, 64}}, {"V", {tokens, 64}}});
  app::OperatorOptions options;
  options.result_only = true;
  app::Simulation simulation(
      app::operator_task("linear", shapes, {"bench", {{"causal", "true"}}}, options), config);
  simulation.run({config.timing, {}, {}});
}

// Microseconds to lower the BERT-base layer without data, and 10,000 commands of a
// program of several times as many: the layer for 2,048 tokens.
struct LoweringTimes {
  double layer_us = 0.0;
  double commands_10000_us = 0.0;
};

LoweringTimes lowering_times(const hw::ChipConfig& config) {
  const auto microseconds = [&](int tokens, int repeats, std::size_t& commands) {
    const model::IntegerGraph graph{
        testing_layers::layer(model::Mechanism::kSoftmax, tokens, kWidth, kHeads, kWidth / kHeads)
            .graph,
        {}};
    return 1e6 * seconds_of([&] { commands = hw::lower(config, graph).program.commands.size(); },
                            repeats);
  };
  std::size_t few = 0, many = 0;
  LoweringTimes times;
  times.layer_us = microseconds(kTokens, 50, few);
  const double long_us = microseconds(2048, 10, many);
  times.commands_10000_us = long_us * 1e4 / static_cast<double>(many);
  fmt::print(
      "lowering: {} commands of the BERT-base layer in {:.0f} us, {} commands of 2,048 "
      "tokens in {:.0f} us\n",
      few, times.layer_us, many, long_us);
  return times;
}

// Least-squares slope of log time over log tokens, 2^10 to 2^20.
double linear_time_slope(const hw::ChipConfig& config) {
  double sum_x = 0.0, sum_y = 0.0, sum_xx = 0.0, sum_xy = 0.0;
  int count = 0;
  for (int octave = 10; octave <= 20; ++octave, ++count) {
    const double y = std::log2(seconds_of([&] { simulate_linear(config, 1 << octave); }, 20));
    sum_x += octave;
    sum_y += y;
    sum_xx += octave * octave;
    sum_xy += octave * y;
  }
  return (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x * sum_x);
}

// Peak memory, KiB, of a process of its own that makes one such run.
double linear_peak_kib(int tokens) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "quadrille_bench", "--linear-tokens", std::to_string(tokens).c_str(),
            nullptr);
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  if (child < 0 || ::wait4(child, &status, 0, &usage) != child || status != 0) {
    throw InvariantError("bench: the run of " + std::to_string(tokens) + " tokens failed");
  }
  return static_cast<double>(usage.ru_maxrss);
}

// One BERT-base attention layer with every engine it uses in RTL, divided by the
// same run in SystemC with data. The RTL's run is measured once: it is long. None
// where an engine's RTL is not built for the chip.
std::optional<double> rtl_over_systemc(const hw::ChipConfig& config, model::Mechanism mechanism) {
  const model::IntegerGraph layer = bert_base(mechanism);
  const model::ByteTensors inputs = testing_layers::noise(layer.graph);
  const hw::Program program = hw::lower(config, layer).program;
  const app::Implementation rtl = app::all_in_rtl(program);
  if (rtl.rtl != app::built_in_rtl(program, config).rtl) return std::nullopt;
  const double in_systemc = seconds_of(
      [&] {
        simulate(config, layer, &inputs, {config.timing, {}, {}});
      },
      15);
  const double in_rtl = seconds_of(
      [&] {
        simulate(config, layer, &inputs, {config.timing, rtl, {}});
      },
      1);
  fmt::print("in RTL ({}): {:.1f} s, in SystemC {:.2f} ms\n", fmt::join(rtl.rtl, ", "), in_rtl,
             1e3 * in_systemc);
  return in_rtl / in_systemc;
}

// Whether the machine did the same work at the same speed all along: a loop whose time
// depends on nothing else, measured between the figures.
class Steadiness {
 public:
  static constexpr double kMostSpread = 0.10;

  void sample() { rates_.push_back(multiply_peak_macs_per_s()); }
  /// Of the samples: the fastest over the slowest, less one.
  double spread() const {
    const auto [slowest, fastest] = std::minmax_element(rates_.begin(), rates_.end());
    return *fastest / *slowest - 1.0;
  }

 private:
  std::vector<double> rates_;
};

// Seconds of a product with the exact kernel that a chip on this processor uses.
class ExactTimer {
 public:
  explicit ExactTimer(const Product& shape)
      : shape_(shape),
        x_(static_cast<std::size_t>(shape.rows * shape.inner)),
        out_(static_cast<std::size_t>(4 * shape.rows * shape.columns)) {
    std::vector<std::int8_t> weights(static_cast<std::size_t>(shape.inner * shape.columns));
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<std::int8_t>(i * 7 >> 3);
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = static_cast<std::uint8_t>(i * 5 >> 2);
    product_.emplace(std::move(weights), shape.inner, shape.columns, hw::WeightLayout::kRows,
                     hw::best_product_kernel());
    multiply();
  }
  double seconds(int repeats) {
    return shape_.times * seconds_of([this] { multiply(); }, repeats);
  }

 private:
  void multiply() {
    product_->multiply(x_.data(), shape_.inner, true, shape_.rows, out_.data(),
                       std::int64_t{4} * shape_.columns);
  }

  Product shape_;
  std::vector<std::uint8_t> x_, out_;
  std::optional<hw::ExactProduct> product_;
};

// The layer's products, exactly: the yardstick of the goals of speed.
double exact_seconds(const std::vector<Product>& products, int repeats) {
  double seconds = 0.0;
  for (const Product& product : products) seconds += ExactTimer(product).seconds(repeats);
  return seconds;
}

// Our exact kernel at 128 x 768 x 768, multiplies per second over the peak of the
// instruction that it uses. Weights are packed, which a matrix is once.
double exact_over_peak() {
  std::vector<std::int8_t> weights(kWidth * kWidth);
  std::vector<std::uint8_t> x(kTokens * kWidth);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<std::int8_t>(i * 7 >> 3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(i * 5 >> 2);
  std::vector<std::uint8_t> out(4 * kTokens * kWidth);
  hw::ExactProduct product(std::move(weights), kWidth, kWidth, hw::WeightLayout::kRows,
                           hw::ProductKernel::kPortable);
  const auto multiply = [&] {
    product.multiply(x.data(), kWidth, true, kTokens, out.data(), 4 * kWidth);
  };
  multiply();
  const double seconds = seconds_of(multiply, 100);
  const double rate = static_cast<double>(kTokens) * kWidth * kWidth / seconds;
  const double peak = multiply_peak_macs_per_s();
  fmt::print("exact kernel ({}): {:.1f} of {:.1f} GMAC/s\n", hw::exact_kernel_instruction_set(),
             1e-9 * rate, 1e-9 * peak);
  return rate / peak;
}

// Seconds for the 1,000 chips of a shipped sweep on two cores, results written.
double sweep_1000_points_s() {
  const testbench::TemporaryFolder folder;
  int sweep = 0;
  return seconds_of(
      [&] {
        const std::string out = folder.file(std::to_string(sweep++));
        app::run_sweep({testbench::source_path("sweeps/bert-base-chips.yaml"), out, 2});
      },
      3);
}

struct Row {
  std::string name;
  double ratio;
  double goal;  ///< DESIGN section 7; 0 for none.
  bool at_most;
};

int run(const std::string& file) {
  const std::string chips = testbench::source_path("chips/");
  const hw::ChipConfig config = app::read_chip_file(chips + "default.yaml");
  const double baseline = onednn_seconds(attention_layer_products(kTokens, kWidth, kHeads), 30);
  fmt::print("oneDNN ({}): {:.3f} ms for the BERT-base attention layer's int8 products\n\n",
             onednn_instruction_set(), 1e3 * baseline);
  const double exact = exact_seconds(attention_layer_products(kTokens, kWidth, kHeads), 60);
  fmt::print("exact products of the same layer: {:.3f} ms\n", 1e3 * exact);
  Steadiness steadiness;
  steadiness.sample();
  std::vector<Row> rows;
  const std::pair<const char*, model::Mechanism> mechanisms[] = {
      {"", model::Mechanism::kSoftmax},
      {"damf_", model::Mechanism::kDamf},
      {"sinkhorn_", model::Mechanism::kSinkhorn},
      {"linear_", model::Mechanism::kLinear}};
  for (const auto& [prefix, mechanism] : mechanisms) {
    const bool softmax = mechanism == model::Mechanism::kSoftmax;
    const model::IntegerGraph layer = bert_base(mechanism);
    const model::ByteTensors inputs = testing_layers::noise(layer.graph);
    for (const bool data : {true, false}) {
      const model::ByteTensors* given = data ? &inputs : nullptr;
      const double seconds = seconds_of(
          [&] {
            simulate(config, layer, given, {config.timing, {}, {}});
          },
          data ? 15 : 30);
      const std::string name =
          fmt::format("{}layer_{}_data_over_onednn", prefix, data ? "with" : "without");
      rows.push_back({name, seconds / baseline, softmax ? (data ? 5.0 : 1.0) : 0.0, true});
      if (!softmax) continue;
      rows.push_back({fmt::format("layer_{}_data_over_exact", data ? "with" : "without"),
                      seconds / exact, data ? 3.0 : 0.2, true});
    }
  }
  for (const auto& [prefix, mechanism] : mechanisms) {
    const bool softmax = mechanism == model::Mechanism::kSoftmax;
    const auto ratio = rtl_over_systemc(config, mechanism);
    const std::string name = std::string(prefix) + "rtl_over_systemc";
    if (ratio) rows.push_back({name, *ratio, softmax ? 1000.0 : 0.0, false});
    steadiness.sample();
  }

  const LoweringTimes lowering = lowering_times(config);
  rows.push_back({"lowering_us", lowering.layer_us, kLoweringGoalUs, true});
  rows.push_back({"lowering_10000_commands_us", lowering.commands_10000_us, 1e4, true});
  rows.push_back({"linear_time_slope", linear_time_slope(config), 1.05, true});
  rows.push_back(
      {"linear_memory_growth", linear_peak_kib(1 << 20) / linear_peak_kib(1 << 10), 1.05, true});
  rows.push_back({"exact_over_peak", exact_over_peak(), 0.6, false});
  rows.push_back({"sweep_1000_points_s", sweep_1000_points_s(), 5.0, true});

  steadiness.sample();
  if (steadiness.spread() > Steadiness::kMostSpread) {
    fmt::print(stderr,
               "bench: the machine is too busy to believe a figure: the same loop took up to "
               "{:.0f} % longer between them; expected at most {:.0f} %. Nothing is written.\n",
               100.0 * steadiness.spread(), 100.0 * Steadiness::kMostSpread);
    return 1;
  }
  nlohmann::ordered_json json;
  json["instruction_set"] = onednn_instruction_set();
  fmt::print("{:36} {:>10} {:>8}\n", "measured in one run, one thread", "value", "goal");
  for (const Row& row : rows) {
    const std::string goal =
        row.goal == 0.0 ? "" : fmt::format("{} {:g}", row.at_most ? "<=" : ">=", row.goal);
    fmt::print("{:36} {:>10.2f} {:>8}\n", row.name, row.ratio, goal);
    json[row.name] = row.ratio;
  }
  app::write_file(file, json.dump(2) + "\n");
  return 0;
}

}  // namespace
}  // namespace quadrille::bench

int sc_main(int argc, char* argv[]) {
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  // oneDNN decides at its first use: one thread, as the simulator runs.
  ::setenv("OMP_NUM_THREADS", "1", 1);
  if (argc == 3 && std::string(argv[1]) == "--linear-tokens") {
    quadrille::bench::simulate_linear(
        quadrille::app::read_chip_file(quadrille::testbench::source_path("chips/default.yaml")),
        std::stoi(argv[2]));
    return 0;
  }
  return quadrille::bench::run(argc > 1 ? argv[1] : "bench.json");
}
