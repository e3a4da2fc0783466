/* The C interface between the program and one engine's verilated RTL, which is a
 * shared library of its own: built for certain parameters (quadrille rtl build) and
 * loaded when a run asks for it. It speaks of pins and clock edges only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Two programs that differ in this number do not understand each other's libraries. */
#define QUADRILLE_RTL_INTERFACE 1

/* A pin of one model: its value, least significant byte first. Bits above the pin's
 * width must be zero. With waves there are pins named "cycle counter" besides, which
 * take the chip's cycle before a dump. */
typedef struct {
  const char* name;
  uint8_t* data;
  size_t bytes;
} quadrille_rtl_pin;

typedef struct {
  unsigned interface_version;
  /* The key in the cache that the library was built for. */
  const char* key;
  /* Whether open_waves() and dump() may be called. */
  int has_waves;

  /* A model that was not reset yet. */
  void* (*create)(void);
  /* Runs the model's final blocks, closes its waveform, frees it. */
  void (*destroy)(void* model);
  /* Stores the first `room` pins, and returns how many there are. */
  size_t (*pins)(void* model, quadrille_rtl_pin* pins, size_t room);
  /* Lets the model follow its pins. */
  void (*evaluate)(void* model);

  /* Returns 0 when the FST file cannot be written. Called once, before the reset. */
  int (*open_waves)(void* model, const char* file);
  /* Writes the present values at `time`, which grows from call to call. */
  void (*dump)(void* model, uint64_t time);
} quadrille_rtl_library;

/* The one symbol that a library exports. */
const quadrille_rtl_library* quadrille_rtl_library_entry(void);

#ifdef __cplusplus
}
#endif
