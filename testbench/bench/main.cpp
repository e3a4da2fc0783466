// `make bench`: the project's speed as ratios, measured in one run, on one
// thread. Prints a table and writes bench.json beside the program's folder.
//
//   quadrille_bench [FILE.json]
//
// A simulation's time is everything a user waits for once the integers are
// there: mapping, building the chip, filling its DRAM, running, reading back.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <systemc>

#include "app/config/chip_file.h"
#include "app/files/atomic_file.h"
#include "hw/chip.h"
#include "hw/mapper/mapping.h"
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
    const hw::DramTensor& out = mapping.tensor("out");
    std::vector<std::uint8_t> result(static_cast<std::size_t>(out.rows * out.pitch_bytes));
    std::copy_n(chip.dram().at(out.address, result.size()), result.size(), result.begin());
  }
  return cycles;
}

// The layer's DRAM as a user's tensors would fill it.
std::vector<std::uint8_t> image_of(const hw::Mapping& mapping) {
  std::uint64_t end = 0;
  for (const hw::DramTensor& tensor : mapping.tensors) {
    end = std::max(end,
                   tensor.address + static_cast<std::uint64_t>(tensor.rows * tensor.pitch_bytes));
  }
  std::vector<std::uint8_t> image(end);
  testing_layers::write_inputs(mapping, hw::Bytes(image.data(), image.size()));
  return image;
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
  for (const auto mechanism : {model::Mechanism::kSoftmax, model::Mechanism::kDamf}) {
    const bool softmax = mechanism == model::Mechanism::kSoftmax;
    const auto layer = testing_layers::layer(mechanism, kTokens, kWidth, kHeads, kWidth / kHeads);
    const auto image = image_of(hw::map_attention_layer(config, layer));
    for (const bool data : {true, false}) {
      hw::ChipOptions options;
      options.data = data;
      const double seconds =
          seconds_of([&] { simulate(config, layer, image, options); }, data ? 15 : 30);
      const std::string name = fmt::format("{}layer_{}_data_over_onednn", softmax ? "" : "damf_",
                                           data ? "with" : "without");
      rows.push_back({name, seconds / baseline, softmax ? (data ? 5.0 : 1.0) : 0.0, true});
    }
  }
  // The RTL of one engine inside the small chip, against the same run in SystemC.
  const hw::ChipConfig small = app::read_chip_file(chips + "small.yaml");
  const auto layer = testing_layers::layer(model::Mechanism::kDamf, 64, 64, 4, 16);
  const auto image = image_of(hw::map_attention_layer(small, layer));
  hw::ChipOptions rtl;
  rtl.rtl = {"damf"};
  const double in_rtl = seconds_of([&] { simulate(small, layer, image, rtl); }, 3);
  const double in_systemc = seconds_of([&] { simulate(small, layer, image, {}); }, 15);
  rows.push_back({"damf_rtl_over_systemc_small_chip", in_rtl / in_systemc, 0.0, false});

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
  // oneDNN decides at its first use: one thread, as the simulator runs.
  ::setenv("OMP_NUM_THREADS", "1", 1);
  return quadrille::bench::run(argc > 1 ? argv[1] : "bench.json");
}
