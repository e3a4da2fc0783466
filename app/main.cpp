// libsystemc owns main(); the program starts here.
#include <systemc>

int sc_main(int, char*[]) { return 0; }
