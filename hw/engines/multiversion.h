// QUADRILLE_MULTIVERSION before a function definition compiles it for several
// instruction sets and picks one when the program starts. For integer loops
// only: their results are the same bits whichever is picked.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define QUADRILLE_MULTIVERSION \
  __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define QUADRILLE_MULTIVERSION
#endif
