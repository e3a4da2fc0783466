// The words that settings take, in --set, in workloads and in cases alike: one
// table per setting, so that a word is spelt in one place.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hw/chip_config.h"
#include "model/attention/mechanism.h"
#include "model/graph/operators.h"

namespace quadrille::app {

template <typename Value>
using Choices = std::vector<std::pair<std::string, Value>>;

inline const Choices<bool> kBooleanChoices = {{"false", false}, {"true", true}};
inline const Choices<model::Mechanism> kMechanismChoices = {
    {"softmax", model::Mechanism::kSoftmax},
    {"damf", model::Mechanism::kDamf},
    {"sinkhorn", model::Mechanism::kSinkhorn},
    {"linear", model::Mechanism::kLinear}};
inline const Choices<model::SinkhornUpdate> kSinkhornUpdateChoices = {
    {"alternate", model::SinkhornUpdate::kAlternate}, {"damped", model::SinkhornUpdate::kDamped}};
inline const Choices<model::SinkhornForm> kSinkhornFormChoices = {
    {"scaling", model::SinkhornForm::kScaling}, {"matrix", model::SinkhornForm::kMatrix}};
/// Whether K is held instead of the logits.
inline const Choices<bool> kSinkhornHoldChoices = {{"logits", false}, {"kernel", true}};
inline const Choices<model::DamfEngineChoice> kDamfEngineChoices = {
    {"damf", model::DamfEngineChoice::kDamf}, {"linear", model::DamfEngineChoice::kLinear}};
inline const Choices<model::CausalAlign> kCausalAlignChoices = {
    {"start", model::CausalAlign::kStart}, {"end", model::CausalAlign::kEnd}};
inline const Choices<model::DamfMode> kDamfModeChoices = {
    {"maclaurin", model::DamfMode::kMaclaurin},
    {"shift", model::DamfMode::kShift},
    {"collapsed", model::DamfMode::kCollapsed}};
inline const Choices<model::PowerRounding> kRoundingChoices = {
    {"linear", model::PowerRounding::kLinear},
    {"log", model::PowerRounding::kLog},
    {"floor", model::PowerRounding::kFloor}};
inline const Choices<model::DamfMaximum> kMaximumChoices = {{"global", model::DamfMaximum::kGlobal},
                                                            {"row", model::DamfMaximum::kRow},
                                                            {"abs", model::DamfMaximum::kAbs}};
inline const Choices<model::DamfNegative> kNegativeChoices = {
    {"signed", model::DamfNegative::kSigned}, {"clamp", model::DamfNegative::kClamp}};
inline const Choices<bool> kSigmaChoices = {{"omit", false}, {"keep", true}};
inline const Choices<model::DamfShiftOrder> kShiftOrderChoices = {
    {"last", model::DamfShiftOrder::kLast}, {"each", model::DamfShiftOrder::kEach}};
inline const Choices<hw::Timing> kTimingChoices = {{"tile", hw::Timing::kTile},
                                                   {"beat", hw::Timing::kBeat}};

template <typename Value>
std::vector<std::string> words(const Choices<Value>& choices) {
  std::vector<std::string> result;
  for (const auto& choice : choices) result.push_back(choice.first);
  return result;
}

template <typename Value>
const std::string& word_of(const Choices<Value>& choices, Value value) {
  for (const auto& choice : choices) {
    if (choice.second == value) return choice.first;
  }
  return choices.front().first;
}

/// The value of a word, which must be one of the choices'.
template <typename Value>
Value value_of(const Choices<Value>& choices, const std::string& word) {
  for (const auto& choice : choices) {
    if (choice.first == word) return choice.second;
  }
  return choices.front().second;
}

}  // namespace quadrille::app
