#include "app/rtl/rtl_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/files/atomic_file.h"
#include "app/files/suggest.h"
#include "app/rtl/built_rtl.h"
#include "hw/clock.h"
#include "hw/engines/paired_body.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::string command_text(const hw::Program& program, int index) {
  const hw::Command& command = program.commands[static_cast<std::size_t>(index)];
  const std::string head = command.head < 0 ? "" : fmt::format(", head {}", command.head);
  return fmt::format("command {} ({}, {}{})", index,
                     program.nodes[static_cast<std::size_t>(command.node)].name, command.step,
                     head);
}

/// The element of an output tensor that a byte of the DRAM belongs to.
std::optional<std::string> element_at(const hw::Mapping& mapping, std::uint64_t address) {
  for (const hw::DramTensor& tensor : mapping.tensors) {
    if (tensor.role != model::Role::kOutput) continue;
    for (const hw::DramPiece& piece : tensor.pieces) {
      if (address < piece.address) continue;
      const auto offset = static_cast<std::int64_t>(address - piece.address);
      const std::int64_t row = offset / piece.pitch_bytes;
      const std::int64_t column = offset % piece.pitch_bytes / tensor.element_bytes;
      if (row < piece.rows && column < piece.columns) {
        return fmt::format("'{}' [{},{}]", tensor.name, piece.first_row + row,
                           piece.first_column + column);
      }
    }
  }
  return std::nullopt;
}

/// Where a byte that a command left in the scratchpad is stored, if a copy that
/// waits for that command stores it.
std::optional<std::string> stored_element(const hw::Mapping& mapping, int index,
                                          std::uint64_t address) {
  for (const hw::Command& command : mapping.program.commands) {
    const auto* copy = std::get_if<hw::DmaCopy>(&command.operation);
    if (copy == nullptr || copy->to_scratchpad || address < copy->scratchpad_address) continue;
    const std::vector<int>& waits = command.depends_on;
    if (std::find(waits.begin(), waits.end(), index) == waits.end()) continue;
    const auto offset = static_cast<std::int64_t>(address - copy->scratchpad_address);
    // Rows without gaps are one long row.
    const std::int64_t pitch =
        std::max<std::int64_t>(copy->rows == 1 ? copy->row_bytes : copy->scratchpad_pitch_bytes, 1);
    const std::int64_t row = offset / pitch;
    if (row >= copy->rows || offset % pitch >= copy->row_bytes) continue;
    return element_at(
        mapping, copy->dram_address +
                     static_cast<std::uint64_t>(row * copy->dram_pitch_bytes + offset % pitch));
  }
  return std::nullopt;
}

std::string pin_text(const hw::PinDifference& where, const hw::Mapping& mapping) {
  std::string text = fmt::format(
      "rtl differs from systemc (beat) in cycle {}: engine {}, {}, cycle {} of it, "
      "pin {}",
      where.cycle, where.engine, command_text(mapping.program, where.command), where.command_cycle,
      where.pin);
  if (where.byte >= 0)
    text += fmt::format(", output beat {}, byte {}", where.output_beats, where.byte);
  text += fmt::format(": systemc {}, rtl {}", where.systemc, where.rtl);
  if (where.byte < 0 || !where.beat_address) return text;
  const auto element = stored_element(mapping, where.command,
                                      *where.beat_address + static_cast<std::uint64_t>(where.byte));
  return element ? text + fmt::format(", stored in {}", *element) : text;
}

/// The cycles asked for, or those around `cycle`, where a difference lies.
CycleRange around(const RtlCheckOptions& options, std::int64_t cycle) {
  constexpr std::int64_t kAround = 200;
  return options.waves_cycles.value_or(
      CycleRange{std::max<std::int64_t>(cycle - kAround, 0), cycle + kAround});
}

/// What the RTL alone makes of it: the first wrong element, or the cycles.
std::string tensor_text(Simulation& simulation, const Body& body) {
  try {
    const ChipRun run = simulation.run(body);
    return fmt::format("{}, after {} cycles",
                       simulation.difference("rtl", run).value_or("no tensor differs from fixed"),
                       run.result.cycles);
  } catch (const InvariantError& error) {
    return fmt::format("the RTL alone does not end: {}", error.what());
  }
}

/// The pins that differ, and the tensors that come of it.
void explain(Simulation& simulation, const hw::PinDifference& where, const RtlCheckOptions& options,
             Body body, RtlCheck& check) {
  check.cycles = where.cycle;
  body.rtl = options.bodies;
  if (!options.waves.empty()) {
    body.rtl.traces[where.engine] =
        wave_of(options.waves, around(options, where.cycle), simulation.chip());
    check.waves = {options.waves};
  }
  check.difference = fmt::format("{}; {}", pin_text(where, simulation.job().mapping),
                                 tensor_text(simulation, body));
}

}  // namespace

hw::RtlTrace wave_of(const std::string& file, const CycleRange& range, const hw::ChipConfig& chip) {
  hw::RtlTrace trace;
  trace.file = file;
  trace.first_cycle = range.first;
  trace.last_cycle = range.last;
  trace.now = [clock = hw::Clock(chip.clock_hz)] { return clock.now(); };
  return trace;
}

std::map<std::string, hw::RtlTrace> waves_of(const RtlCheckOptions& options,
                                             const hw::ChipConfig& chip,
                                             const std::vector<std::string>& engines) {
  const std::filesystem::path path(options.waves);
  std::map<std::string, hw::RtlTrace> traces;
  for (const std::string& name : engines) {
    const bool own = name == options.waves_engine || engines.size() == 1;
    const std::string other = path.stem().string() + "." + name + path.extension().string();
    traces[name] = wave_of(own ? options.waves : (path.parent_path() / other).string(),
                           options.waves_cycles.value_or(CycleRange{}), chip);
  }
  return traces;
}

void require_waves(Simulation& simulation, const RtlCheckOptions& options) {
  { const AtomicFile writable(options.waves); }
  hw::RtlBodies bodies = options.bodies;
  for (const std::string& engine : all_in_rtl(simulation.job().mapping.program).rtl_engines()) {
    bodies.traces[engine] = {};
    require_rtl(engine, simulation.chip(), bodies);
  }
}

RtlCheck check_rtl(Simulation& simulation, std::int64_t beat_cycles,
                   const RtlCheckOptions& options) {
  const hw::Program& program = simulation.job().mapping.program;
  Body body{hw::Timing::kBeat, built_in_rtl(program, simulation.chip(), options.bodies),
            options.bodies};
  body.rtl.paired = true;
  RtlCheck check;
  check.engines = body.implementation.rtl_engines();
  for (const std::string& engine : all_in_rtl(program).rtl_engines()) {
    if (body.implementation.rtl.count(engine) == 0) check.not_built.push_back(engine);
  }
  if (check.engines.empty()) return check;
  const ChipRun run = simulation.run(body);
  if (run.pins) {
    explain(simulation, *run.pins, options, std::move(body), check);
    return check;
  }
  check.cycles = run.result.cycles;
  check.difference = simulation.difference("rtl", run);
  if (check.difference) {
    *check.difference += fmt::format(", by cycle {}", check.cycles);
  } else if (check.cycles != beat_cycles) {
    check.difference =
        fmt::format("rtl takes {} cycles, systemc (beat) {}", check.cycles, beat_cycles);
  }
  if (options.waves.empty()) return check;
  body.rtl = options.bodies;
  body.rtl.traces = waves_of(options, simulation.chip(), check.engines);
  simulation.run(body);
  for (const auto& [engine, trace] : body.rtl.traces) check.waves.push_back(trace.file);
  return check;
}

}  // namespace quadrille::app
