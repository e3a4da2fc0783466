// A GPT-2-shaped language model as a graph: token and position embedding, pre-LN
// blocks x += attention(LN_1(x)), x += MLP(LN_2(x)) with the tanh form of GELU, a
// final LN, and the output layer tied to the token embedding. A model may add
// embeddings of earlier tokens. The attention projections have no bias.
#pragma once

#include <string>

#include "app/config/workload.h"
#include "app/networks/task.h"

namespace quadrille::app {

/// The attention of one block, the others being the task's context. The
/// checkpoint has Hugging Face's tensor names, perhaps behind "transformer.";
/// tables of earlier tokens are wte_shift.1.weight, wte_shift.2.weight, ...
/// InputError for missing tensors, wrong shapes or values, heads that do not
/// divide the width, biases of the attention projections other than zero, and
/// metadata (n_head, attention, damf.amax) that contradicts `layer`.
Task gpt2_attention_task(const std::string& path, const AttentionLayerWorkload& layer,
                         const TrainedData& data);

}  // namespace quadrille::app
