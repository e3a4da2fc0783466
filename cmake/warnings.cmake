# Warnings and instrumentation for our own sources only; headers of libraries
# are SYSTEM includes.
add_library(quadrille_warnings INTERFACE)
target_compile_options(quadrille_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(QUADRILLE_WERROR)
  target_compile_options(quadrille_warnings INTERFACE -Werror)
endif()
if(QUADRILLE_SANITIZER)
  # Verilated models are not ours: without, they are the release build's, from its compiler cache.
  target_compile_options(quadrille_warnings INTERFACE -fsanitize=${QUADRILLE_SANITIZER} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all -O1 -g1)
  add_link_options(-fsanitize=${QUADRILLE_SANITIZER})
endif()
if(QUADRILLE_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()
