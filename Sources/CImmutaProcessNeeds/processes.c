#include "CImmutaProcessNeeds.h"

#if defined(__linux__)

#include <unistd.h>

// Before main: the scheduler of Swift's tasks (libdispatch) looks at its threads in /proc, at once and then each second, and
// traps where it does not find them.
__attribute__((constructor)) static void check_processes(void) {
  if (access("/proc/self/stat", R_OK) == 0) return;
  static const char text[] =
      "immuta: /proc is not mounted, and without it nothing that is written in Swift runs reliably: mount it first "
      "(mount -t proc proc /proc)\n";
  if (write(2, text, sizeof text - 1) < 0) _exit(1);
  _exit(1);
}

#endif
