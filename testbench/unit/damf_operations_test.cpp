// The DAMF engine's commands: what does not fit the engine or its packed command
// is refused at every timing.
#include "hw/engines/damf/damf_operations.h"

#include <gtest/gtest.h>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

/// Buffers larger than what a command holds: its own limits decide.
DamfConfig large_engine() {
  DamfConfig config;
  config.max_tokens = config.max_model_width = 100000;
  return config;
}

TEST(DamfOperations, ProjectTakesWhatItsPackedFormHolds) {
  for (const auto& [config, most_width] :
       {std::pair{DamfConfig{}, DamfConfig{}.max_model_width}, {large_engine(), 65535}}) {
    const auto project = [config = config](int tokens, int width) {
      DamfProject operation;
      operation.tokens = tokens;
      operation.width = width;
      return input_stream(config, operation);
    };
    EXPECT_NO_THROW(project(1, 1));
    EXPECT_NO_THROW(project(65535, most_width));
    EXPECT_THROW(project(0, 1), InvariantError);
    EXPECT_THROW(project(65536, 1), InvariantError);
    EXPECT_THROW(project(1, 0), InvariantError);
    EXPECT_THROW(project(1, most_width + 1), InvariantError);
  }
}

TEST(DamfOperations, AttendTakesWhatItsPackedFormHolds) {
  for (const auto& [config, most_tokens] :
       {std::pair{DamfConfig{}, DamfConfig{}.max_tokens}, {large_engine(), 65535}}) {
    const auto attend = [config = config](int tokens, int width, int guard_bits) {
      DamfAttend operation;
      operation.tokens = tokens;
      operation.width = width;
      operation.settings.mode = model::DamfMode::kCollapsed;
      operation.settings.guard_bits = guard_bits;
      return input_stream(config, operation);
    };
    EXPECT_NO_THROW(attend(1, 1, 0));
    EXPECT_NO_THROW(attend(most_tokens, 1, 16));
    EXPECT_NO_THROW(attend(1, 65535, 16));
    EXPECT_THROW(attend(0, 1, 0), InvariantError);
    EXPECT_THROW(attend(most_tokens + 1, 1, 0), InvariantError);
    EXPECT_THROW(attend(1, 0, 0), InvariantError);
    EXPECT_THROW(attend(1, 65536, 0), InvariantError);
    EXPECT_THROW(attend(1, 1, -1), InvariantError);
    EXPECT_THROW(attend(1, 1, 17), InvariantError);
  }
}

}  // namespace
}  // namespace quadrille::hw
