#include "model/graph/heads.h"

namespace quadrille::model {

void check_attention(const Heads& heads, bool causal, CausalAlign align, const NodeView& at) {
  if (heads.batch < 1 || heads.key_heads < 1 || heads.heads < heads.key_heads) {
    at.refuse("heads " + std::to_string(heads.heads) + " and key heads " +
              std::to_string(heads.key_heads) + ", expected no more key heads than heads");
  }
  at.require_input(0, -1, -1);
  at.require_input(1, -1, -1);
  const AttentionTensors tensors(heads, at);
  const bool values_fit = tensors.v.fits() && tensors.v.length() == tensors.keys;
  if (!tensors.q.fits() || !tensors.k.fits() || !values_fit || tensors.k.width() != tensors.width)
    at.refuse("expected Q, K and V of " + std::to_string(heads.heads) + " heads (" +
              std::to_string(heads.key_heads) + " of keys) that fit each other");
  if (at.has_input(2)) {
    const int columns = tensors.value_width * (heads.in_columns ? heads.heads : 1);
    at.require_output(0, at.input(0).rows, columns);
  }
  if (tensors.offset(causal, align) < 0) {
    at.refuse("causal_align end with " + std::to_string(tensors.queries) + " queries and " +
              std::to_string(tensors.keys) +
              " keys, expected no more queries than keys: the first "
              "ones would see no key");
  }
}

}  // namespace quadrille::model
