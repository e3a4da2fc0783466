# Copies a table module with one bit of one entry flipped: entry 0, 1020 -> 988.
file(READ ${INPUT} text)
string(REPLACE "7'd0: seed_o = 10'd1020" "7'd0: seed_o = 10'd988" wrong "${text}")
if(wrong STREQUAL text)
  message(FATAL_ERROR "${INPUT}: entry 0 is not 1020")
endif()
file(WRITE ${OUTPUT} "${wrong}")
