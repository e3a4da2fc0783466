#include "testbench/common/test_rtl.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <random>

#include "app/config/chip_file.h"
#include "app/files/hash.h"
#include "app/files/shipped.h"
#include "app/rtl/rtl_build.h"
#include "model/errors.h"
#include "testbench/common/environment.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

/// One wrong constant of an engine: in the source `file`, `from` becomes `to`.
struct WrongConstant {
  const char* file;
  const char* from;
  const char* to;
};

const std::map<std::string, WrongConstant>& wrong_constants() {
  // One bit of the reciprocal's seed table: entry 0, 1020 -> 988.
  static const WrongConstant seed = {"prim_reciprocal_seed.sv", "7'd0: seed_o = 10'd1020",
                                     "7'd0: seed_o = 10'd988"};
  static const std::map<std::string, WrongConstant> constants = {
      // The weights' top bit adds instead of subtracting where all bits are in use.
      {"cim",
       {"cim_multiply_port.sv", "BitsW'(b) + 1'b1 == weight_bits_q",
        "BitsW'(b) + 1'b1 == BitsW'(7)"}},
      // One bit of the table of 2^-x: entry 0, the row's largest, 65280 -> 65024.
      {"softmax",
       {"softmax_exp2_table.sv", "8'd0: entry_o = 16'd65280", "8'd0: entry_o = 16'd65024"}},
      {"damf", seed},
      // One bit of the table of powers: 2^0, 1 -> 1 + 1/32.
      {"sinkhorn",
       {"sinkhorn_power_table.sv", "8'd0: {value_o, step_o} = {17'd0",
        "8'd0: {value_o, step_o} = {17'd4096"}},
      {"linear", seed},
  };
  return constants;
}

/// The sources, with the constant's file replaced by a generated one.
app::RtlSources with(app::RtlSources sources, const WrongConstant& wrong) {
  auto& generated = sources.generated;
  for (auto module = sources.modules.begin(); module != sources.modules.end(); ++module) {
    if (std::filesystem::path(*module).filename() != wrong.file) continue;
    generated[wrong.file] = app::read_bytes(*module);
    sources.modules.erase(module);
    break;
  }
  std::string& text = generated[wrong.file];
  const std::size_t at = text.find(wrong.from);
  if (at == std::string::npos)
    throw InvariantError(fmt::format("{} has no '{}'", wrong.file, wrong.from));
  text.replace(at, std::string(wrong.from).size(), wrong.to);
  return sources;
}

std::shared_ptr<const hw::RtlLibrary> load(const app::CachedRtl& rtl) {
  if (!rtl.built()) app::build_rtl(rtl, "test");
  return rtl.open();
}

int drawn(std::mt19937_64& random, int least, int most) {
  return least + static_cast<int>(random() % static_cast<std::uint64_t>(most - least + 1));
}

int power_of_two(std::mt19937_64& random, int least_log, int most_log) {
  return 1 << drawn(random, least_log, most_log);
}

/// Small sizes of every engine; not every one makes a chip.
void draw_sizes(std::mt19937_64& random, hw::ChipValues& chip) {
  chip.name = "drawn";
  hw::CimConfig& cim = chip.cim;
  cim.macros = drawn(random, 2, 9);
  cim.input_bytes_per_cycle = power_of_two(random, 1, 4);
  cim.rows = cim.input_bytes_per_cycle * drawn(random, 1, 4);
  cim.output_bytes_per_cycle = power_of_two(random, 2, 5);
  cim.columns = cim.output_bytes_per_cycle / 4 * drawn(random, 1, 4);
  cim.write_bytes_per_cycle = power_of_two(random, 0, 4);
  cim.weight_bits = 8;
  cim.input_bits = 8;
  chip.softmax = {power_of_two(random, 0, 3), drawn(random, 9, 200)};
  chip.damf = {power_of_two(random, 1, 3), drawn(random, 1, 5), drawn(random, 20, 300),
               drawn(random, 20, 200)};
  hw::SinkhornConfig& sinkhorn = chip.sinkhorn;
  sinkhorn.lanes = power_of_two(random, 1, 3);
  sinkhorn.log_units = drawn(random, 1, sinkhorn.lanes);
  sinkhorn.value_columns = power_of_two(random, 0, 2);
  sinkhorn.max_lines = drawn(random, 20, 200);
  sinkhorn.tile_elements = drawn(random, 2, 30) * 2 * sinkhorn.lanes * sinkhorn.lanes;
  sinkhorn.skewed = random() % 2 == 0;
  chip.linear = {power_of_two(random, 2, 3), drawn(random, 8, 40), drawn(random, 1, 6),
                 drawn(random, 1, 5)};
}

hw::ChipConfig drawn_chip(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const hw::ChipConfig small = app::read_chip_file(source_path("chips/small.yaml"));
  for (int attempt = 0;; ++attempt) {
    try {
      return small.with([&](hw::ChipValues& chip) { draw_sizes(random, chip); });
    } catch (const InputError&) {
      if (attempt == 1000) throw;
    }
  }
}

}  // namespace

std::shared_ptr<const hw::RtlLibrary> rtl_library(const hw::RtlDesign& design, bool waves) {
  return load(app::RtlCache().at(design, waves));
}

std::shared_ptr<const hw::RtlLibrary> wrong_rtl_library(const hw::RtlDesign& design, bool waves) {
  return load(app::RtlCache().at(
      design,
      with(app::rtl_sources(design, app::shipped_root()), wrong_constants().at(design.engine)),
      waves));
}

hw::RtlBodies test_rtl_bodies(const std::string& wrong) {
  hw::RtlBodies bodies;
  bodies.find = [wrong](const hw::ChipConfig&, const hw::RtlDesign& design, bool waves) {
    return design.engine == wrong ? wrong_rtl_library(design, waves) : rtl_library(design, waves);
  };
  return bodies;
}

std::unique_ptr<hw::BeatEngine<hw::SoftmaxRows>> softmax_rtl(const hw::SoftmaxConfig& config) {
  return hw::make_softmax_rtl_body(rtl_library(hw::softmax_rtl_design(config)));
}

std::unique_ptr<hw::BeatEngine<hw::DamfOperation>> damf_rtl(const hw::DamfConfig& config) {
  return hw::make_damf_rtl_body(rtl_library(hw::damf_rtl_design(config)));
}

std::unique_ptr<hw::BeatEngine<hw::SinkhornOperation>> sinkhorn_rtl(
    const hw::SinkhornConfig& config) {
  return hw::make_sinkhorn_rtl_body(config, rtl_library(hw::sinkhorn_rtl_design(config)));
}

std::unique_ptr<hw::BeatEngine<hw::LinearAttend>> linear_rtl(const hw::LinearConfig& config) {
  return hw::make_linear_rtl_body(rtl_library(hw::linear_rtl_design(config)));
}

hw::CimBodies cim_rtl(hw::CimBank& bank) {
  return hw::make_cim_rtl_bodies(bank, rtl_library(hw::cim_rtl_design(bank.config())));
}

const hw::ChipConfig& lockstep_chip() {
  static const hw::ChipConfig chip = [] {
    const std::string file = chip_of_environment();
    return file.empty() ? drawn_chip(test_seed(20261130)) : app::read_chip_file(file);
  }();
  return chip;
}

}  // namespace quadrille::testbench
