#include "hw/engines/sinkhorn/sinkhorn_progress.h"

#include <algorithm>

namespace quadrille::hw {

SinkhornProgress::SinkhornProgress(const SinkhornScale& operation, int matrices)
    : limit_(operation.half_steps + (operation.verify ? 1 : 0)),
      most_half_steps_(operation.half_steps),
      stop_(operation.stop),
      damped_(operation.update == model::SinkhornUpdate::kDamped),
      tolerance_code_(operation.tolerance_code),
      running_(matrices),
      stopped_(static_cast<std::size_t>(matrices), false),
      half_steps_(static_cast<std::size_t>(matrices), 0) {}

bool SinkhornProgress::done() const { return running_ == 0 || sweeps_ == limit_; }

bool SinkhornProgress::sums(SinkhornSide side) const {
  return damped_ || (sweeps_ % 2 == 0) == (side == SinkhornSide::kRows);
}

bool SinkhornProgress::measured(int matrix, const model::SinkhornResidualCode& residual) {
  const auto m = static_cast<std::size_t>(matrix);
  if (stopped_[m]) return false;
  if (sweeps_ >= 2) {  // The residuals are of the state after sweeps_ - 1 half-steps.
    const auto state = static_cast<std::size_t>(sweeps_ - 2);
    if (residuals_.size() <= state) residuals_.resize(state + 1);
    residuals_[state].row = std::max(residuals_[state].row, residual.row);
    residuals_[state].column = std::max(residuals_[state].column, residual.column);
    if (stop_ && std::max(residual.row, residual.column) <= tolerance_code_) {
      stopped_[m] = true;
      --running_;
      return false;
    }
  }
  if (sweeps_ > most_half_steps_) return false;
  half_steps_[m] = sweeps_;
  return true;
}

void SinkhornProgress::join(CommandCourse& course) const {
  course.block_sweeps.push_back(sweeps_);
  for (const int half_steps : half_steps_)
    course.half_steps = std::max<std::int64_t>(course.half_steps, half_steps);
  if (course.residuals.size() < residuals_.size()) course.residuals.resize(residuals_.size());
  for (std::size_t l = 0; l < residuals_.size(); ++l) {
    course.residuals[l].row = std::max(course.residuals[l].row, residuals_[l].row);
    course.residuals[l].column = std::max(course.residuals[l].column, residuals_[l].column);
  }
}

}  // namespace quadrille::hw
