# Writes FOLDER/all.cc, which includes every C++ file that Verilator wrote there.
file(GLOB sources RELATIVE ${FOLDER} ${FOLDER}/*.cpp)
list(SORT sources)
set(text "")
foreach(source ${sources})
  string(APPEND text "#include \"${source}\"\n")
endforeach()
file(WRITE ${FOLDER}/all.cc "${text}")
