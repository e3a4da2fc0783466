// The adapter of a verilated `sinkhorn_engine`: what rtl_body.h does, and the
// course of a scale from the unit's status registers.
#pragma once

#include <algorithm>
#include <variant>

#include "hw/engines/rtl_body.h"
#include "hw/engines/sinkhorn/sinkhorn_command.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"

namespace quadrille::hw {

template <typename Model>
class SinkhornRtlBody final : public RtlBody<Model, SinkhornOperation> {
 public:
  using Base = RtlBody<Model, SinkhornOperation>;

  /// `trace`: nothing, or the RtlTrace of a TRACED model.
  template <typename... Trace>
  explicit SinkhornRtlBody(const SinkhornConfig& config, const Trace&... trace)
      : Base(
            [config](const SinkhornOperation& operation) {
              if (const auto* scale = std::get_if<SinkhornScale>(&operation))
                return pack_sinkhorn_command(config, *scale);
              return pack_sinkhorn_command(std::get<SinkhornApply>(operation));
            },
            trace...) {}

  const CommandCourse* course() const override { return &course_; }

  void tick(const BeatInputs<SinkhornOperation>& inputs) override {
    if (inputs.command != nullptr && this->command_ready()) course_ = {};
    const bool repeated = this->repeat_input();
    Base::tick(inputs);
    if (this->repeat_input() && !repeated) ++course_.input_passes;
    read_status();
  }

 private:
  /// One sweep of a block per pulse of sweep_end_o.
  void read_status() {
    const Model& model = this->model();
    if (model.sweep_end_o == 0) return;
    const auto sweep = static_cast<std::int64_t>(model.sweep_o);
    if (model.sweep_kept_o != 0) course_.half_steps = std::max(course_.half_steps, sweep);
    if (model.block_end_o != 0) course_.block_sweeps.push_back(sweep);
    if (sweep < 2) return;
    const auto state = static_cast<std::size_t>(sweep - 2);
    if (course_.residuals.size() <= state) course_.residuals.resize(state + 1);
    model::SinkhornResidualCode& largest = course_.residuals[state];
    largest.row = std::max(largest.row, static_cast<std::int32_t>(model.row_residual_o));
    largest.column = std::max(largest.column, static_cast<std::int32_t>(model.column_residual_o));
  }

  CommandCourse course_;
};

}  // namespace quadrille::hw
