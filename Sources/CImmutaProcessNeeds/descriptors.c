#include "CImmutaProcessNeeds.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

// What the runtime and a command that uses one log need, with room to spare.
enum { needed = 32 };

int process_needed_descriptors(void) { return needed; }

// Before main: the runtime takes descriptors as it starts, and traps where it gets none.
__attribute__((constructor)) static void check_descriptors(void) {
  struct rlimit limits;
  if (getrlimit(RLIMIT_NOFILE, &limits) != 0) return;
  int available = 0;
  for (rlim_t descriptor = 0; descriptor < limits.rlim_cur; descriptor++) {
    if (fcntl((int)descriptor, F_GETFD) < 0) available++;
    if (available >= needed) return;
  }
  int limit = (int)limits.rlim_cur;
  char text[256];
  int length = snprintf(text, sizeof text,
                        "immuta: %d more open files are needed, and this process may have %d of %d: raise the limit "
                        "(ulimit -n %d)\n",
                        needed, available, limit, needed + limit - available);
  if (length > 0 && write(2, text, (size_t)length) < 0) _exit(1);
  _exit(1);
}
