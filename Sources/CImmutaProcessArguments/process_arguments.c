#include "CImmutaProcessArguments.h"

#include <stdlib.h>

static int count;
static char **arguments;

#if defined(__GLIBC__) || defined(__APPLE__)
// Both call what runs before main as they call main itself.
__attribute__((constructor)) static void keep_arguments(int argc, char **argv) {
  count = argc;
  arguments = argv;
}
#endif

int process_argument_count(void) { return count; }

const char *process_argument(int position) { return position >= 0 && position < count ? arguments[position] : NULL; }
