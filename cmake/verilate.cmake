# Verilated engines, their lookup tables and their lint. Verilator bakes
# parameters in, so every parameter point is a model of its own.
#
#   quadrille_table(GENERATOR MODULE)
#     Table module MODULE, written to ${QUADRILLE_RTL_TABLES}/MODULE.sv.
#   quadrille_rtl_engine(ENGINE [TABLES MODULE...] [FOLDERS FOLDER...] [VERILATE OPTION...])
#     The engine of the present folder: top module ENGINE_engine, all *.sv there,
#     in rtl/prim (with its table) and in other FOLDERS, the TABLES, the waivers ENGINE.vlt.
#     VERILATE: more options for Verilator.
#     Its sources are listed in ${QUADRILLE_RTL_SOURCES}/ENGINE.f, waivers first,
#     its points in ENGINE.points (class, top module, parameters), smallest first:
#     scripts/rtl_program.py reads both.
#   quadrille_rtl_point(ENGINE POINT "PARAMETER=VALUE;..." [TOP MODULE] [SLOW] [TRACED])
#     Target rtl_ENGINE_POINT with class VEngineEnginePOINT (say VdamfEngine4x2),
#     linked by quadrille_rtl and linted by lint_rtl. SLOW compiles it at -O1.
#     TRACED makes rtl_ENGINE_POINT_traced besides, class VEngineEnginePOINTTraced:
#     the same netlist with waveforms.
#   quadrille_rtl_wrong(ENGINE "PARAMETER=VALUE;..." FILE FROM TO)
#     The same as VEngineEngineWrong, with one constant changed: in the source
#     whose name is FILE, the text FROM becomes TO. For tests.

find_program(VERILATOR verilator REQUIRED HINTS $ENV{VERILATOR_ROOT}/bin)
if(DEFINED ENV{VERILATOR_ROOT})
  set(verilator_root $ENV{VERILATOR_ROOT})
else()
  execute_process(COMMAND ${VERILATOR} --getenv VERILATOR_ROOT OUTPUT_VARIABLE verilator_root
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()

set(QUADRILLE_RTL_TABLES ${CMAKE_BINARY_DIR}/rtl/generated)
set(QUADRILLE_RTL_SOURCES ${CMAKE_BINARY_DIR}/rtl/sources)
file(MAKE_DIRECTORY ${QUADRILLE_RTL_TABLES} ${QUADRILLE_RTL_SOURCES})
set(quadrille_rtl_helpers ${CMAKE_CURRENT_LIST_DIR}/rtl)

# What every verilated model shares.
add_library(quadrille_verilator_runtime STATIC ${verilator_root}/include/verilated.cpp
                                               ${verilator_root}/include/verilated_threads.cpp)
target_include_directories(quadrille_verilator_runtime SYSTEM PUBLIC ${verilator_root}/include
                                                                     ${verilator_root}/include/vltstd)
target_compile_definitions(quadrille_verilator_runtime PUBLIC VM_COVERAGE=0 VM_SC=0 VM_TRACE=0 VM_TRACE_FST=0
                                                              VM_TRACE_VCD=0)
target_compile_options(quadrille_verilator_runtime PRIVATE -O3 -w)
target_link_libraries(quadrille_verilator_runtime PUBLIC Threads::Threads)

# FST waveforms, for the models that write them. Nothing of a model's or the
# runtime's layout depends on tracing, so both kinds share one runtime.
add_library(quadrille_verilator_fst STATIC ${verilator_root}/include/verilated_fst_c.cpp)
target_compile_options(quadrille_verilator_fst PRIVATE -O2 -w)
target_link_libraries(quadrille_verilator_fst PUBLIC quadrille_verilator_runtime ZLIB::ZLIB)

add_library(quadrille_rtl INTERFACE)
target_link_libraries(quadrille_rtl INTERFACE quadrille_verilator_fst)
add_custom_target(lint_rtl COMMENT "Linting the RTL")
add_custom_target(rtl_sources COMMENT "Generated RTL sources")

function(quadrille_table generator name)
  # The generator is linked anew with every change of model/, the table stays as old as its contents:
  # else each of them would verilate every engine again.
  add_custom_command(OUTPUT ${QUADRILLE_RTL_TABLES}/${name}.sv
                     COMMAND ${generator} ${name} ${QUADRILLE_RTL_TABLES}/${name}.new
                     COMMAND ${CMAKE_COMMAND} -E copy_if_different ${QUADRILLE_RTL_TABLES}/${name}.new
                             ${QUADRILLE_RTL_TABLES}/${name}.sv
                     DEPENDS ${generator} COMMENT "Generating table ${name}.sv" VERBATIM)
endfunction()

function(quadrille_rtl_engine engine)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "TABLES;FOLDERS;VERILATE")
  set(sources ${CMAKE_CURRENT_SOURCE_DIR}/${engine}.vlt)
  foreach(folder ${CMAKE_SOURCE_DIR}/rtl/prim ${arg_FOLDERS} ${CMAKE_CURRENT_SOURCE_DIR})
    file(GLOB modules CONFIGURE_DEPENDS ${folder}/*.sv)
    list(APPEND sources ${modules})
  endforeach()
  foreach(table prim_reciprocal_seed ${arg_TABLES})
    list(APPEND sources ${QUADRILLE_RTL_TABLES}/${table}.sv)
  endforeach()
  set_property(GLOBAL PROPERTY quadrille_rtl_sources_${engine} ${sources})
  set_property(GLOBAL PROPERTY quadrille_rtl_options_${engine} ${arg_VERILATE})
  list(JOIN sources "\n" lines)
  file(CONFIGURE OUTPUT ${QUADRILLE_RTL_SOURCES}/${engine}.f CONTENT "${lines}\n" @ONLY)
  file(WRITE ${QUADRILLE_RTL_SOURCES}/${engine}.points "")
  add_custom_target(rtl_sources_${engine} DEPENDS ${sources})
  add_dependencies(rtl_sources rtl_sources_${engine})
endfunction()

# Target with class PREFIX from TOP and SOURCES, with more OPTIONS for Verilator.
# The names of Verilator's files are only known after it ran: they are compiled as
# two files that include them all.
function(quadrille_verilate target top prefix parameters options)
  set(folder ${CMAKE_BINARY_DIR}/rtl/${target})
  file(MAKE_DIRECTORY ${folder})
  list(TRANSFORM parameters PREPEND -G OUTPUT_VARIABLE overrides)
  add_custom_command(
    OUTPUT ${folder}/all.cc ${folder}/slow.cc ${folder}/${prefix}.h
    # Files of a former run, which this one does not write, must not be included.
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${folder}
    COMMAND ${VERILATOR} --cc --assert -Wall -O3 --x-assign fast --x-initial fast --prefix ${prefix}
            --top-module ${top} --Mdir ${folder} ${overrides} ${options} ${ARGN}
    COMMAND ${CMAKE_COMMAND} -D FOLDER=${folder} -P ${quadrille_rtl_helpers}/include_all.cmake
    DEPENDS ${ARGN} ${quadrille_rtl_helpers}/include_all.cmake
    COMMENT "Verilating ${target}"
    VERBATIM)
  add_library(${target} STATIC ${folder}/all.cc ${folder}/slow.cc ${folder}/${prefix}.h)
  set_source_files_properties(${folder}/slow.cc PROPERTIES COMPILE_OPTIONS -O0)
  target_include_directories(${target} SYSTEM PUBLIC ${folder})
  target_compile_options(${target} PRIVATE -O3 -w)
  target_link_libraries(${target} PUBLIC quadrille_verilator_runtime)
  target_link_libraries(quadrille_rtl INTERFACE ${target})
endfunction()

function(quadrille_rtl_point engine point parameters)
  cmake_parse_arguments(PARSE_ARGV 3 arg "SLOW;TRACED" "TOP" "")
  get_property(sources GLOBAL PROPERTY quadrille_rtl_sources_${engine})
  get_property(options GLOBAL PROPERTY quadrille_rtl_options_${engine})
  if(NOT arg_TOP)
    set(arg_TOP ${engine}_engine)
  endif()
  quadrille_verilate(rtl_${engine}_${point} ${arg_TOP} V${engine}Engine${point} "${parameters}" "${options}" ${sources})
  file(APPEND ${QUADRILLE_RTL_SOURCES}/${engine}.points "V${engine}Engine${point} ${arg_TOP} ${parameters}\n")
  if(arg_SLOW)
    target_compile_options(rtl_${engine}_${point} PRIVATE -O1)
  endif()
  if(arg_TRACED)
    quadrille_verilate(rtl_${engine}_${point}_traced ${arg_TOP} V${engine}Engine${point}Traced "${parameters}"
                       "${options};--trace-fst" ${sources})
    target_compile_options(rtl_${engine}_${point}_traced PRIVATE -O1)
  endif()
  list(TRANSFORM parameters PREPEND -G OUTPUT_VARIABLE overrides)
  add_custom_target(lint_rtl_${engine}_${point}
    COMMAND ${VERILATOR} --lint-only --assert -Wall --top-module ${arg_TOP} ${overrides} ${sources}
    DEPENDS ${sources} COMMENT "Linting ${engine} ${point}" VERBATIM)
  add_dependencies(lint_rtl lint_rtl_${engine}_${point})
endfunction()

function(quadrille_rtl_wrong engine parameters file from to)
  get_property(sources GLOBAL PROPERTY quadrille_rtl_sources_${engine})
  get_property(options GLOBAL PROPERTY quadrille_rtl_options_${engine})
  set(wrong_sources "")
  foreach(source ${sources})
    get_filename_component(name ${source} NAME)
    if(name STREQUAL file)
      set(wrong ${CMAKE_BINARY_DIR}/rtl/wrong/${engine}/${file})
      add_custom_command(
        OUTPUT ${wrong}
        COMMAND ${CMAKE_COMMAND} -D INPUT=${source} -D OUTPUT=${wrong} -D FROM=${from} -D TO=${to}
                -P ${quadrille_rtl_helpers}/change_text.cmake
        DEPENDS ${source} ${quadrille_rtl_helpers}/change_text.cmake VERBATIM)
      list(APPEND wrong_sources ${wrong})
    else()
      list(APPEND wrong_sources ${source})
    endif()
  endforeach()
  quadrille_verilate(rtl_${engine}_wrong ${engine}_engine V${engine}EngineWrong "${parameters}" "${options}"
                     ${wrong_sources})
endfunction()
