#include "testbench/common/sinkhorn_apply_rtl.h"

#include "VsinkhornEngineApply32.h"
#include "VsinkhornEngineApply4.h"
#include "VsinkhornEngineApply6.h"
#include "hw/engines/sinkhorn/sinkhorn_apply_command.h"

namespace quadrille::testbench {
namespace {

using Body = std::unique_ptr<hw::BeatEngine<hw::SinkhornOperation>>;

hw::CommandBits pack(const hw::SinkhornOperation& operation) {
  return hw::pack_sinkhorn_command(std::get<hw::SinkhornApply>(operation));
}

template <typename Model>
Body make() {
  return std::make_unique<hw::RtlBody<Model, hw::SinkhornOperation>>(pack);
}

}  // namespace

Body make_apply_rtl_body(const hw::SinkhornConfig& config) {
  switch (config.lanes) {
    case 4:
      return make<VsinkhornEngineApply4>();
    case 6:
      return make<VsinkhornEngineApply6>();
    case 32:
      return make<VsinkhornEngineApply32>();
    default:
      throw InputError("no RTL of an apply with " + std::to_string(config.lanes) + " lanes");
  }
}

}  // namespace quadrille::testbench
