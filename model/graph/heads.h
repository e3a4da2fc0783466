// The instances of an attention inside its tensors (Heads, operators.h).
#pragma once

#include <algorithm>
#include <vector>

#include "model/graph/node.h"
#include "model/numerics/causal_pairs.h"

namespace quadrille::model {

/// The rows of one instance: a part of a tensor, or all of it by reference.
template <typename T>
class HeadBlock {
 public:
  explicit HeadBlock(const std::vector<T>* whole) : whole_(whole) {}
  explicit HeadBlock(std::vector<T> part) : part_(std::move(part)) {}
  operator const std::vector<T>&() const { return whole_ != nullptr ? *whole_ : part_; }

 private:
  const std::vector<T>* whole_ = nullptr;
  std::vector<T> part_;
};

/// Where the rows of each instance lie in a tensor of queries (or outputs), or of
/// keys and values, which has `heads.key_heads` instances per batch entry.
class HeadLayout {
 public:
  static HeadLayout queries(const Heads& heads, const Tensor& tensor) {
    return {heads, heads.heads, tensor};
  }
  static HeadLayout keys(const Heads& heads, const Tensor& tensor) {
    return {heads, heads.key_heads, tensor};
  }

  int length() const { return static_cast<int>(length_); }
  int width() const { return static_cast<int>(width_); }
  /// Whether the tensor divides into instances of equal size.
  bool fits() const { return fits_; }

  /// The rows of one instance; a tensor of a single one is not copied.
  template <typename T>
  HeadBlock<T> take(const std::vector<T>& tensor, int instance) const {
    if (whole()) return HeadBlock<T>(&tensor);
    std::vector<T> block;
    block.reserve(static_cast<std::size_t>(length_ * width_));
    for (std::int64_t row = 0; row < length_; ++row) {
      const auto begin = tensor.begin() + start(instance, row);
      block.insert(block.end(), begin, begin + width_);
    }
    return HeadBlock<T>(std::move(block));
  }

  template <typename T>
  void put(std::vector<T>& tensor, int instance, std::vector<T> block) const {
    if (whole()) {
      tensor = std::move(block);
      return;
    }
    for (std::int64_t row = 0; row < length_; ++row) {
      const auto begin = block.begin() + row * width_;
      std::copy(begin, begin + width_, tensor.begin() + start(instance, row));
    }
  }

 private:
  HeadLayout(const Heads& heads, int count, const Tensor& tensor)
      : in_columns_(heads.in_columns), count_(count), rows_(tensor.rows), columns_(tensor.columns) {
    const std::int64_t parts = std::int64_t{heads.batch} * (in_columns_ ? 1 : count);
    length_ = tensor.rows / parts;
    width_ = in_columns_ ? tensor.columns / count : tensor.columns;
    fits_ = length_ * parts == tensor.rows && (!in_columns_ || width_ * count == tensor.columns);
  }

  std::ptrdiff_t start(int instance, std::int64_t row) const {
    if (!in_columns_) return static_cast<std::ptrdiff_t>((instance * length_ + row) * columns_);
    const std::int64_t entry = instance / count_;
    return static_cast<std::ptrdiff_t>((entry * length_ + row) * columns_ +
                                       instance % count_ * width_);
  }

  bool whole() const { return width_ == columns_ && length_ == rows_; }

  bool in_columns_;
  int count_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t length_ = 0, width_ = 0;
  bool fits_ = false;
};

/// The tensors of an attention whose inputs 0, 1 and 2 are Q, K and perhaps V,
/// and whose output 0 is `out`.
struct AttentionTensors {
  AttentionTensors(const Heads& heads, const NodeView& at)
      : q(HeadLayout::queries(heads, at.input(0))),
        k(HeadLayout::keys(heads, at.input(1))),
        v(HeadLayout::keys(heads, at.input(at.has_input(2) ? 2 : 1))),
        out(HeadLayout::queries(heads, out_tensor(heads, at))),
        queries(q.length()),
        keys(k.length()),
        width(q.width()),
        value_width(at.has_input(2) ? v.width() : 0) {}

  HeadLayout q, k, v, out;
  int queries, keys, width, value_width;

  /// Keys that query 0 sees beyond key 0 under the mask.
  int offset(bool causal, CausalAlign align) const {
    return causal && align == CausalAlign::kEnd ? keys - queries : 0;
  }
  /// Pairs of a query and a key that it sees, of one instance.
  std::int64_t visible_pairs(bool causal, CausalAlign align) const {
    return causal ? causal_pairs(queries, keys, offset(causal, align))
                  : std::int64_t{queries} * keys;
  }
  /// Room for `out`, all zero.
  template <typename Number>
  std::vector<Number> empty_out(const Heads& heads) const {
    return std::vector<Number>(static_cast<std::size_t>(heads.instances()) *
                               static_cast<std::size_t>(queries) *
                               static_cast<std::size_t>(value_width));
  }

 private:
  Tensor out_tensor(const Heads& heads, const NodeView& at) const {
    const int columns = v.width() * (heads.in_columns ? heads.heads : 1);
    return {"", at.input(0).rows, columns, Role::kValue, Format::kCodes8};
  }
};

/// Refuses tensors that do not divide into the heads or do not fit each other, and
/// alignments that leave a query without a key.
void check_attention(const Heads& heads, bool causal, CausalAlign align, const NodeView& at);

}  // namespace quadrille::model
