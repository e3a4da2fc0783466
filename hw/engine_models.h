// How each engine is reached by its unit (EngineUnit's `Model`): which operations
// it takes, their streams, cycles, activity, data and body.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/engines/softmax/softmax_engine.h"
#include "hw/engines/vector/vector_engine.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// Makes the body of a unit in beat timing, SystemC or RTL. `values` is where it
/// adds its counters of values, if it can tell them.
template <typename Operation>
using MakeBody = std::function<std::unique_ptr<BeatEngine<Operation>>(Activity* values)>;

/// A command whose data decide nothing about its course, of an engine that keeps
/// no state for it beside its own.
struct FixedCourse {
  template <typename Op>
  CommandCourse course(const Op&) const {
    return {};
  }
  template <typename Op>
  std::int64_t longest_silence(const Op&) const {
    return 0;
  }
  template <typename Op>
  void begin(const Op&) {}
  template <typename Op>
  void end(const Op&) {}
};

template <typename Op>
struct CimModel : FixedCourse {
  using Operation = Op;
  static constexpr bool kWritesCim = std::is_same_v<Op, CimWrite>;
  CimBank* bank;
  MakeBody<Op> body;

  Op get(const hw::Operation& operation) const { return std::get<Op>(operation); }
  Stream input(const Op& op) const { return input_stream(bank->config(), op); }
  Stream output(const Op& op) const {
    if constexpr (kWritesCim) {
      return {};
    } else {
      return output_stream(bank->config(), op);
    }
  }
  std::int64_t alone_cycles(const Op& op, const CommandCourse&) const {
    return bank->alone_cycles(op);
  }
  Activity activity(const Op& op, const CommandCourse&) const { return bank->activity(op); }
  void begin(const Op& op) { bank->start(op); }
  void end(const Op& op) { bank->finish(op); }
  CommandCourse execute(const Op& op, const Bytes& bytes, Activity& values) {
    bank->execute(op, bytes, values);
    return {};
  }
};

struct SoftmaxModel : FixedCourse {
  using Operation = SoftmaxRows;
  static constexpr bool kWritesCim = false;
  SoftmaxConfig config;
  const SoftmaxEngine* engine;
  MakeBody<SoftmaxRows> body;

  SoftmaxRows get(const hw::Operation& operation) const { return std::get<SoftmaxRows>(operation); }
  Stream input(const SoftmaxRows& op) const { return input_stream(config, op); }
  Stream output(const SoftmaxRows& op) const { return output_stream(config, op); }
  std::int64_t alone_cycles(const SoftmaxRows& op, const CommandCourse&) const {
    return engine->alone_cycles(op);
  }
  Activity activity(const SoftmaxRows& op, const CommandCourse&) const {
    return engine->activity(op);
  }
  CommandCourse execute(const SoftmaxRows& op, const Bytes& bytes, Activity& values) {
    engine->execute(op, bytes, values);
    return {};
  }
};

struct DamfModel : FixedCourse {
  using Operation = DamfOperation;
  static constexpr bool kWritesCim = false;
  DamfConfig config;
  const DamfEngine* engine;
  MakeBody<DamfOperation> body;

  DamfOperation get(const hw::Operation& operation) const {
    if (const auto* project = std::get_if<DamfProject>(&operation)) return *project;
    return std::get<DamfAttend>(operation);
  }
  Stream input(const DamfOperation& op) const {
    return std::visit([this](const auto& each) { return input_stream(config, each); }, op);
  }
  Stream output(const DamfOperation& op) const {
    return std::visit([this](const auto& each) { return output_stream(config, each); }, op);
  }
  std::int64_t alone_cycles(const DamfOperation& op, const CommandCourse&) const {
    return engine->alone_cycles(op);
  }
  Activity activity(const DamfOperation& op, const CommandCourse&) const {
    return engine->activity(op);
  }
  CommandCourse execute(const DamfOperation& op, const Bytes& bytes, Activity& values) {
    engine->execute(op, bytes, values);
    return {};
  }
};

struct SinkhornModel {
  using Operation = SinkhornOperation;
  static constexpr bool kWritesCim = false;
  SinkhornConfig config;
  const SinkhornEngine* engine;
  MakeBody<SinkhornOperation> body;

  SinkhornOperation get(const hw::Operation& operation) const {
    if (const auto* scale = std::get_if<SinkhornScale>(&operation)) return *scale;
    return std::get<SinkhornApply>(operation);
  }
  Stream input(const SinkhornOperation& op) const {
    return std::visit([this](const auto& each) { return input_stream(config, each); }, op);
  }
  Stream output(const SinkhornOperation& op) const {
    return std::visit([this](const auto& each) { return output_stream(config, each); }, op);
  }
  CommandCourse course(const SinkhornOperation& op) const { return engine->course(op); }
  CommandCourse execute(const SinkhornOperation& op, const Bytes& bytes, Activity& values) {
    return engine->execute(op, bytes, values);
  }
  std::int64_t alone_cycles(const SinkhornOperation& op, const CommandCourse& course) const {
    return engine->alone_cycles(op, course);
  }
  Activity activity(const SinkhornOperation& op, const CommandCourse& course) const {
    return engine->activity(op, course);
  }
  /// Sweeps move nothing; all that a stop could leave out are made.
  std::int64_t longest_silence(const SinkhornOperation& op) const {
    return engine->alone_cycles(op, engine->course(op));
  }
  void begin(const SinkhornOperation&) {}
  void end(const SinkhornOperation&) {}
};

struct LinearModel : FixedCourse {
  using Operation = LinearAttend;
  static constexpr bool kWritesCim = false;
  LinearConfig config;
  LinearEngine* engine;  ///< Keeps its state from one command to the next.
  MakeBody<LinearAttend> body;

  LinearAttend get(const hw::Operation& operation) const {
    return std::get<LinearAttend>(operation);
  }
  Stream input(const LinearAttend& op) const { return input_stream(config, op); }
  Stream output(const LinearAttend& op) const { return output_stream(config, op); }
  std::int64_t alone_cycles(const LinearAttend& op, const CommandCourse&) const {
    return engine->alone_cycles(op);
  }
  Activity activity(const LinearAttend& op, const CommandCourse&) const {
    return engine->activity(op);
  }
  /// In tile timing; a body follows its sequence itself.
  void begin(const LinearAttend& op) { engine->follow(op); }
  CommandCourse execute(const LinearAttend& op, const Bytes& bytes, Activity& values) {
    engine->execute(op, bytes, values);
    return {};
  }
};

struct VectorModel : FixedCourse {
  using Operation = VectorRequantise;
  static constexpr bool kWritesCim = false;
  VectorConfig config;
  const VectorEngine* engine;

  VectorRequantise get(const hw::Operation& operation) const {
    return std::get<VectorRequantise>(operation);
  }
  Stream input(const VectorRequantise& op) const { return input_stream(config, op); }
  Stream output(const VectorRequantise& op) const { return output_stream(config, op); }
  std::int64_t alone_cycles(const VectorRequantise& op, const CommandCourse&) const {
    return engine->alone_cycles(op);
  }
  Activity activity(const VectorRequantise& op, const CommandCourse&) const {
    return engine->activity(op);
  }
  CommandCourse execute(const VectorRequantise& op, const Bytes& bytes, Activity& values) {
    engine->execute(op, bytes, values);
    return {};
  }
  std::unique_ptr<BeatEngine<VectorRequantise>> body(Activity* values) {
    return make_vector_beat_body(config, values);
  }
};

}  // namespace quadrille::hw
