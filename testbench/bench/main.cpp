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

#include "app/built_rtl.h"
#include "app/config/chip_file.h"
#include "app/files/atomic_file.h"
#include "hw/chip.h"
#include "hw/mapper/shim.h"
#include "hw/simulation_context.h"
#include "testbench/bench/onednn_baseline.h"
#include "testbench/common/layer_program.h"

namespace quadrille::bench {
namespace {

constexpr int kTokens = 128;
constexpr int kWidth = 768;
constexpr int kHeads = 12;

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

// One simulation of the layer, from the mapping on. Returns the cycles.
std::int64_t simulate(const hw::ChipConfig& config, const model::AttentionInteger& layer,
                      const std::vector<std::uint8_t>& image, const hw::ChipOptions& options) {
  hw::Mapping mapping = hw::map_attention_layer(config, layer);
  const hw::SimulationContext context;
  hw::Chip chip("chip", config, options);
  const std::uint64_t used = image.size();
  chip.load(std::move(mapping.program), [&](const hw::Bytes& dram) {
    std::copy(image.begin(), image.end(), dram.at(0, used));
  });
  const std::int64_t cycles = chip.run().cycles;
  if (options.data) {
    hw::read_tensor(chip.dram(), mapping.tensor("out"));
  }
  return cycles;
}

// The layer's DRAM as a user's tensors would fill it.
std::vector<std::uint8_t> image_of(const hw::Mapping& mapping) {
  std::uint64_t end = 0;
  for (const hw::DramTensor& tensor : mapping.tensors) {
    for (const hw::DramPiece& piece : tensor.pieces)
      end =
          std::max(end, piece.address + static_cast<std::uint64_t>(piece.rows * piece.pitch_bytes));
  }
  std::vector<std::uint8_t> image(end);
  testing_layers::write_inputs(mapping, hw::Bytes(image.data(), image.size()));
  return image;
}

// Causal linear attention, d = 64, without data: timing and counters only.
void simulate_linear(const hw::ChipConfig& config, int tokens) {
  hw::LinearProblem problem;
  problem.shape = {tokens, tokens, 64, 64, true, -1};
  hw::ChipOptions options;
  options.data = false;
  const hw::SimulationContext context;
  hw::Chip chip("chip", config, options);
  chip.load(hw::map_linear(config, problem).program);
  chip.run();
}

// The least-squares slope of log time over log tokens, 2^10 to 2^20.
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
  const auto layer = testing_layers::layer(mechanism, kTokens, kWidth, kHeads, kWidth / kHeads);
  const hw::Mapping mapping = hw::map_attention_layer(config, layer);
  hw::ChipOptions rtl;
  rtl.rtl = app::all_in_rtl(mapping.program).rtl;
  if (rtl.rtl != app::built_in_rtl(mapping.program, config).rtl) return std::nullopt;
  const auto image = image_of(mapping);
  const double in_systemc = seconds_of([&] { simulate(config, layer, image, {}); }, 15);
  const double in_rtl = seconds_of([&] { simulate(config, layer, image, rtl); }, 1);
  fmt::print("in RTL ({}): {:.1f} s, in SystemC {:.2f} ms\n", fmt::join(rtl.rtl, ", "), in_rtl,
             1e3 * in_systemc);
  return in_rtl / in_systemc;
}

struct Row {
  std::string name;
  double ratio;
  double goal;  ///< DESIGN section 7; 0 for none.
  bool at_most;
};

int run(const std::string& file) {
  const std::string chips = QUADRILLE_SOURCE_DIR "/chips/";
  const hw::ChipConfig config = app::read_chip_file(chips + "default.yaml");
  const double baseline = onednn_seconds(attention_layer_products(kTokens, kWidth, kHeads), 30);
  fmt::print("oneDNN ({}): {:.3f} ms for the BERT-base attention layer's int8 products\n\n",
             onednn_instruction_set(), 1e3 * baseline);
  std::vector<Row> rows;
  const std::pair<const char*, model::Mechanism> mechanisms[] = {
      {"", model::Mechanism::kSoftmax},
      {"damf_", model::Mechanism::kDamf},
      {"sinkhorn_", model::Mechanism::kSinkhorn},
      {"linear_", model::Mechanism::kLinear}};
  for (const auto& [prefix, mechanism] : mechanisms) {
    const bool softmax = mechanism == model::Mechanism::kSoftmax;
    const auto layer = testing_layers::layer(mechanism, kTokens, kWidth, kHeads, kWidth / kHeads);
    const auto image = image_of(hw::map_attention_layer(config, layer));
    for (const bool data : {true, false}) {
      hw::ChipOptions options;
      options.data = data;
      const double seconds =
          seconds_of([&] { simulate(config, layer, image, options); }, data ? 15 : 30);
      const std::string name =
          fmt::format("{}layer_{}_data_over_onednn", prefix, data ? "with" : "without");
      rows.push_back({name, seconds / baseline, softmax ? (data ? 5.0 : 1.0) : 0.0, true});
    }
  }
  for (const auto& [prefix, mechanism] : mechanisms) {
    const bool softmax = mechanism == model::Mechanism::kSoftmax;
    const auto ratio = rtl_over_systemc(config, mechanism);
    const std::string name = std::string(prefix) + "rtl_over_systemc";
    if (ratio) rows.push_back({name, *ratio, softmax ? 1000.0 : 0.0, false});
  }

  rows.push_back({"linear_time_slope", linear_time_slope(config), 1.05, true});
  rows.push_back(
      {"linear_memory_growth", linear_peak_kib(1 << 20) / linear_peak_kib(1 << 10), 1.05, true});

  nlohmann::ordered_json json;
  json["instruction_set"] = onednn_instruction_set();
  fmt::print("{:36} {:>10} {:>8}\n", "measured in one run, one thread", "ratio", "goal");
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
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_THROW);
  // oneDNN decides at its first use: one thread, as the simulator runs.
  ::setenv("OMP_NUM_THREADS", "1", 1);
  if (argc == 3 && std::string(argv[1]) == "--linear-tokens") {
    quadrille::bench::simulate_linear(
        quadrille::app::read_chip_file(QUADRILLE_SOURCE_DIR "/chips/default.yaml"),
        std::stoi(argv[2]));
    return 0;
  }
  return quadrille::bench::run(argc > 1 ? argv[1] : "bench.json");
}
