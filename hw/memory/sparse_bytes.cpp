#include "hw/memory/sparse_bytes.h"

#include <sys/mman.h>

#include <string>

namespace quadrille::hw {

SparseBytes::SparseBytes(std::uint64_t size, bool backed) : size_(size) {
  if (!backed || size == 0) return;
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) throw NoAddressSpace(size);
  // Touching page by page costs a run more than its events do. A kernel without
  // huge pages refuses, and nothing else changes.
  madvise(pages, size, MADV_HUGEPAGE);
  data_ = static_cast<std::uint8_t*>(pages);
}

SparseBytes::~SparseBytes() {
  if (data_ != nullptr) munmap(data_, size_);
}

Bytes SparseBytes::bytes() const {
  if (data_ == nullptr) throw InvariantError("a memory without data was asked for its bytes");
  return Bytes(data_, size_);
}

}  // namespace quadrille::hw
