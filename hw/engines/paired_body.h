// Two bodies of one engine in one place of the chip: the first drives the chip,
// both get its pins, and every pin of both is compared in every cycle; when a command
// has ended, also what its data decided (Sinkhorn's status registers).
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "hw/engines/beat_engine.h"

namespace quadrille::hw {

/// The place where the bodies of an engine first differ. Only the unit that
/// drives them knows the last part.
struct PinDifference {
  std::string pin;
  int byte = -1;  ///< The output beat's byte; -1 where the pin is another.
  std::int64_t rtl = 0;
  std::int64_t systemc = 0;

  std::string engine;
  int command = -1;                           ///< Number in the program.
  std::int64_t cycle = 0;                     ///< The run's first cycle in which the pins differ.
  std::int64_t command_cycle = 0;             ///< That cycle, counted from the command's start.
  std::int64_t output_beats = 0;              ///< Beats that the command had given before.
  std::optional<std::uint64_t> beat_address;  ///< The next output beat's address in the scratchpad.
};

class PinsDiffer : public std::exception {
 public:
  explicit PinsDiffer(PinDifference found) : difference(std::move(found)) {}
  const char* what() const noexcept override { return "an engine's RTL and SystemC pins differ"; }

  PinDifference difference;
};

/// Throws PinsDiffer from the tick after which the pins differ.
template <typename Operation>
class PairedBody final : public BeatEngine<Operation> {
 public:
  using Body = std::unique_ptr<BeatEngine<Operation>>;

  /// What the bodies refer to must outlive them.
  PairedBody(Body rtl, Body systemc) : rtl_(std::move(rtl)), systemc_(std::move(systemc)) {}

  bool command_ready() const override { return rtl_->command_ready(); }
  bool input_ready() const override { return rtl_->input_ready(); }
  bool output_valid() const override { return rtl_->output_valid(); }
  bool repeat_input() const override { return rtl_->repeat_input(); }
  const Beat& output() const override { return rtl_->output(); }
  const CommandCourse* course() const override { return rtl_->course(); }

  void tick(const BeatInputs<Operation>& inputs) override {
    rtl_->tick(inputs);
    systemc_->tick(inputs);
    compare("command_ready", rtl_->command_ready(), systemc_->command_ready());
    compare("input_ready", rtl_->input_ready(), systemc_->input_ready());
    compare("output_valid", rtl_->output_valid(), systemc_->output_valid());
    compare("repeat_input", rtl_->repeat_input(), systemc_->repeat_input());
    if (rtl_->output_valid()) compare_output(rtl_->output(), systemc_->output());
    const bool ended = busy_ && rtl_->command_ready();
    busy_ = !rtl_->command_ready();
    if (ended && rtl_->course() != nullptr) compare_course(*rtl_->course(), *systemc_->course());
  }

 private:
  static void compare(const char* pin, std::int64_t rtl, std::int64_t systemc, int byte = -1) {
    if (rtl == systemc) return;
    PinDifference difference;
    difference.pin = pin;
    difference.byte = byte;
    difference.rtl = rtl;
    difference.systemc = systemc;
    throw PinsDiffer(difference);
  }

  static void compare_output(const Beat& rtl, const Beat& systemc) {
    compare("output_bytes", rtl.size, systemc.size);
    if (rtl.bytes == systemc.bytes) return;
    for (std::size_t i = 0; i < rtl.bytes.size(); ++i)
      compare("output_data", rtl.bytes[i], systemc.bytes[i], static_cast<int>(i));
  }

  static void compare_course(const CommandCourse& rtl, const CommandCourse& systemc) {
    const auto size = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
    compare("course: input passes", rtl.input_passes, systemc.input_passes);
    compare("course: half-steps", rtl.half_steps, systemc.half_steps);
    compare("course: blocks", size(rtl.block_sweeps), size(systemc.block_sweeps));
    for (std::size_t b = 0; b < rtl.block_sweeps.size(); ++b)
      compare("course: sweeps of a block", rtl.block_sweeps[b], systemc.block_sweeps[b]);
    compare("course: residuals", size(rtl.residuals), size(systemc.residuals));
    for (std::size_t k = 0; k < rtl.residuals.size(); ++k) {
      compare("course: row residual", rtl.residuals[k].row, systemc.residuals[k].row);
      compare("course: column residual", rtl.residuals[k].column, systemc.residuals[k].column);
    }
  }

  Body rtl_;
  Body systemc_;
  bool busy_ = false;
};

}  // namespace quadrille::hw
