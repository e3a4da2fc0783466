// The body around the Sinkhorn unit's RTL: what rtl_body.h does, and the course of a
// scale from the unit's status registers.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "hw/engines/rtl/rtl_body.h"
#include "hw/engines/sinkhorn/sinkhorn_command.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"

namespace quadrille::hw {

class SinkhornRtlBody final : public RtlBody<SinkhornOperation> {
 public:
  SinkhornRtlBody(const SinkhornConfig& config, std::shared_ptr<const RtlLibrary> library,
                  const RtlTrace* trace)
      : RtlBody(
            std::move(library),
            [config](const SinkhornOperation& operation) {
              if (const auto* scale = std::get_if<SinkhornScale>(&operation))
                return pack_sinkhorn_command(config, *scale);
              return pack_sinkhorn_command(std::get<SinkhornApply>(operation));
            },
            trace) {}

  const CommandCourse* course() const override { return &course_; }

  void tick(const BeatInputs<SinkhornOperation>& inputs) override {
    if (inputs.command != nullptr && command_ready()) course_ = {};
    const bool repeated = repeat_input();
    RtlBody::tick(inputs);
    if (repeat_input() && !repeated) ++course_.input_passes;
    read_status();
  }

 private:
  /// One sweep of a block per pulse of sweep_end_o.
  void read_status() {
    if (!sweep_end_.high()) return;
    const auto sweep = static_cast<std::int64_t>(sweep_.value());
    if (sweep_kept_.high()) course_.half_steps = std::max(course_.half_steps, sweep);
    if (block_end_.high()) course_.block_sweeps.push_back(sweep);
    if (sweep < 2) return;
    const auto state = static_cast<std::size_t>(sweep - 2);
    if (course_.residuals.size() <= state) course_.residuals.resize(state + 1);
    model::SinkhornResidualCode& largest = course_.residuals[state];
    largest.row = std::max(largest.row, static_cast<std::int32_t>(row_residual_.value()));
    largest.column = std::max(largest.column, static_cast<std::int32_t>(column_residual_.value()));
  }

  RtlPin sweep_end_ = pin("sweep_end_o");
  RtlPin block_end_ = pin("block_end_o");
  RtlPin sweep_kept_ = pin("sweep_kept_o");
  RtlPin sweep_ = pin("sweep_o");
  RtlPin row_residual_ = pin("row_residual_o");
  RtlPin column_residual_ = pin("column_residual_o");
  CommandCourse course_;
};

}  // namespace quadrille::hw
