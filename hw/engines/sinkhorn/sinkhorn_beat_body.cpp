// The Sinkhorn unit beat by beat: one command at a time, its slots through one
// credit pipeline.
#include "hw/engines/credit_pipeline.h"
#include "hw/engines/sinkhorn/sinkhorn_command_body.h"
#include "hw/engines/sinkhorn/sinkhorn_layout.h"

namespace quadrille::hw {
namespace {

class SinkhornBeatBody final : public BeatEngine<SinkhornOperation> {
 public:
  SinkhornBeatBody(const SinkhornConfig& config, Activity* values)
      : config_(config), values_(values) {
    validate(config);
  }

  bool command_ready() const override { return command_ == nullptr; }
  bool input_ready() const override {
    return command_ != nullptr && command_->input_ready(cycle_) &&
           (!command_->input_needs_credit() || pipeline_->can_launch());
  }
  bool output_valid() const override { return command_ != nullptr && pipeline_->valid(); }
  bool repeat_input() const override {
    return command_ != nullptr && command_->repeat_input(cycle_);
  }
  const Beat& output() const override { return pipeline_->front(); }
  const CommandCourse* course() const override { return &course_; }

  void tick(const BeatInputs<SinkhornOperation>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool takes_input = inputs.input != nullptr && input_ready();
    const bool gives_output = inputs.output_ready && output_valid();
    const bool issues =
        command_ != nullptr && command_->slot_ready(cycle_) && pipeline_->can_launch();
    // One of both at most happens: a slot that waits keeps the input from moving.
    if (takes_input) {
      if (const auto slot = command_->take(*inputs.input, cycle_)) pipeline_->launch(*slot);
    } else if (issues) {
      pipeline_->launch(command_->issue(cycle_));
    }
    if (gives_output) {
      pipeline_->take();
      if (command_->finished() && pipeline_->empty()) end();
    }
    if (starts) start(*inputs.command);
    if (pipeline_) pipeline_->advance();
    ++cycle_;
  }

 private:
  void start(const SinkhornOperation& operation) {
    if (const auto* scale = std::get_if<SinkhornScale>(&operation)) {
      validate(config_, *scale);
      command_ = sinkhorn_resident(config_, scale->rows, scale->columns, scale->form)
                     ? make_resident_body(config_, *scale, cycle_ + 1)
                     : make_streamed_body(config_, *scale, cycle_ + 1);
    } else {
      validate(config_, std::get<SinkhornApply>(operation));
      command_ = make_apply_body(config_, std::get<SinkhornApply>(operation));
    }
    pipeline_.emplace(command_->latency(), kSinkhornTiming.output_fifo);
  }

  void end() {
    course_ = command_->course();
    if (values_ != nullptr) values_->saturated += command_->saturated();
    command_.reset();
  }

  SinkhornConfig config_;
  Activity* values_;
  std::unique_ptr<SinkhornCommandBody> command_;
  std::optional<CreditPipeline<Beat>> pipeline_;
  CommandCourse course_;
  std::int64_t cycle_ = 0;
};

}  // namespace

std::unique_ptr<BeatEngine<SinkhornOperation>> make_sinkhorn_beat_body(const SinkhornConfig& config,
                                                                       Activity* values) {
  return std::make_unique<SinkhornBeatBody>(config, values);
}

}  // namespace quadrille::hw
