// The shared library around a verilated engine: quadrille_rtl.h in terms of
// Verilator's classes. Compiled anew for every engine and size, with
//
//   engine_pins.h     written by `quadrille rtl build`: QUADRILLE_RTL_KEY, the list
//                     QUADRILLE_RTL_PINS(PIN) of ports and QUADRILLE_RTL_CYCLES(CYCLE)
//                     of the probes' cycle counters (none without waves)
//   Vengine.h         Verilator's class of the engine
#include "quadrille_rtl.h"

#include <verilated.h>

#include <memory>

#include "Vengine.h"
#include "engine_pins.h"
#if QUADRILLE_RTL_WAVES
#include <verilated_fst_c.h>

#include "Vengine___024root.h"
#endif

namespace {

struct Model {
  VerilatedContext context;
  std::unique_ptr<Vengine> engine;
#if QUADRILLE_RTL_WAVES
  std::unique_ptr<VerilatedFstC> waves;
#endif
};

Model& model_of(void* model) { return *static_cast<Model*>(model); }

void* create() {
  auto model = std::make_unique<Model>();
#if QUADRILLE_RTL_WAVES
  model->context.traceEverOn(true);
#endif
  model->engine = std::make_unique<Vengine>(&model->context);
  return model.release();
}

void destroy(void* handle) {
  const std::unique_ptr<Model> model(static_cast<Model*>(handle));
#if QUADRILLE_RTL_WAVES
  if (model->waves) model->waves->close();
#endif
  model->engine->final();
  // The engine's scopes sign off from the thread's context, which is that of the
  // model made last unless told.
  Verilated::threadContextp(&model->context);
  model->engine.reset();
}

size_t pins(void* handle, quadrille_rtl_pin* list, size_t room) {
  Vengine& engine = *model_of(handle).engine;
  size_t count = 0;
  const auto add = [&](const char* name, void* data, size_t bytes) {
    if (count < room) list[count] = {name, static_cast<uint8_t*>(data), bytes};
    ++count;
  };
#define QUADRILLE_RTL_PIN(name) add(#name, &engine.name, sizeof(engine.name));
  QUADRILLE_RTL_PINS(QUADRILLE_RTL_PIN)
#if QUADRILLE_RTL_WAVES
#define QUADRILLE_RTL_CYCLE(signal) \
  add("cycle counter", &engine.rootp->signal, sizeof(engine.rootp->signal));
  QUADRILLE_RTL_CYCLES(QUADRILLE_RTL_CYCLE)
#endif
  return count;
}

void evaluate(void* handle) { model_of(handle).engine->eval(); }

#if QUADRILLE_RTL_WAVES
int open_waves(void* handle, const char* file) {
  constexpr int kAllLevels = 99;
  Model& model = model_of(handle);
  model.waves = std::make_unique<VerilatedFstC>();
  model.engine->trace(model.waves.get(), kAllLevels);
  model.waves->open(file);
  return model.waves->isOpen() ? 1 : 0;
}

void dump(void* handle, uint64_t time) { model_of(handle).waves->dump(time); }
#else
constexpr int (*open_waves)(void*, const char*) = nullptr;
constexpr void (*dump)(void*, uint64_t) = nullptr;
#endif

}  // namespace

extern "C" __attribute__((visibility("default"))) const quadrille_rtl_library*
quadrille_rtl_library_entry() {
  static const quadrille_rtl_library library = {QUADRILLE_RTL_INTERFACE,
                                                QUADRILLE_RTL_KEY,
                                                QUADRILLE_RTL_WAVES,
                                                create,
                                                destroy,
                                                pins,
                                                evaluate,
                                                open_waves,
                                                dump};
  return &library;
}
