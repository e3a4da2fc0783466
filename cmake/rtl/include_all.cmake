# Writes two files that include the C++ files which Verilator wrote to FOLDER:
# slow.cc those that run once (construction, first settling), all.cc the others.
function(include_in name)
  set(names ${ARGN})
  list(SORT names)
  set(text "")
  foreach(source ${names})
    string(APPEND text "#include \"${source}\"\n")
  endforeach()
  file(WRITE ${FOLDER}/${name} "${text}")
endfunction()

file(GLOB slow_sources RELATIVE ${FOLDER} ${FOLDER}/*__Slow.cpp)
file(GLOB sources RELATIVE ${FOLDER} ${FOLDER}/*.cpp)
list(REMOVE_ITEM sources ${slow_sources})
include_in(all.cc ${sources})
include_in(slow.cc ${slow_sources})
