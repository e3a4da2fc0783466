// The common shape of an engine's back end: a pipeline of fixed latency that
// never stalls, followed by a first-in first-out buffer, with credits.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

namespace quadrille::hw {

/// An item launched in cycle c stands at the output from cycle c + latency on,
/// behind the items before it. A launch needs a credit; there are `depth`, and
/// one is spent until its item has been taken, so the buffer cannot overflow.
/// A depth of latency + 1 sustains one item per cycle.
template <typename Item>
class CreditPipeline {
 public:
  CreditPipeline(int latency, int depth)
      : latency_(latency), depth_(static_cast<std::size_t>(depth)) {}

  /// While it is empty: items take so long from now on.
  void set_latency(int latency) { latency_ = latency; }
  bool can_launch() const { return items_.size() < depth_; }
  /// Items that may still be launched before any is taken.
  std::size_t credits() const { return depth_ - items_.size(); }
  bool valid() const { return !items_.empty() && items_.front().first <= cycle_; }
  const Item& front() const { return items_.front().second; }
  bool empty() const { return items_.empty(); }

  /// The edge of this cycle takes the front item. At most once per cycle, and
  /// after launch(), whose credit was decided by registered state.
  void take() { items_.pop_front(); }
  void launch(Item item) { items_.emplace_back(cycle_ + latency_, std::move(item)); }
  /// Ends the cycle.
  void advance() { ++cycle_; }

 private:
  std::int64_t latency_;
  std::size_t depth_;
  std::int64_t cycle_ = 0;
  std::deque<std::pair<std::int64_t, Item>> items_;
};

}  // namespace quadrille::hw
