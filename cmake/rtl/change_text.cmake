# Copies INPUT to OUTPUT with the text FROM, which it has to hold, changed to TO.
file(READ ${INPUT} text)
string(REPLACE "${FROM}" "${TO}" changed "${text}")
if(changed STREQUAL text)
  message(FATAL_ERROR "${INPUT}: no '${FROM}' to change to '${TO}'")
endif()
file(WRITE ${OUTPUT} "${changed}")
