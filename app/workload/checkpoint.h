// A GPT-2-shaped checkpoint (safetensors, Hugging Face's tensor names) as a
// model::LanguageModel.
#pragma once

#include <string>

#include "app/files/safetensors.h"
#include "model/transformer/language_model.h"

namespace quadrille::app {

/// Names may carry the prefix "transformer.". Tables of earlier tokens are
/// wte_shift.1.weight, wte_shift.2.weight, ... InputError for missing tensors,
/// wrong shapes or values, heads that do not divide the width, biases of the
/// attention projections other than zero, and metadata (n_head, attention,
/// damf.amax) that contradicts `shape`, which the workload states.
model::LanguageModel read_checkpoint(const SafetensorsFile& file,
                                     const model::AttentionShape& shape);

}  // namespace quadrille::app
