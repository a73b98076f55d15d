#ifndef IMMUTA_CPROCESSNEEDS_H
#define IMMUTA_CPROCESSNEEDS_H

// What a process needs that runs Swift's tasks: open files, memory, and on Linux /proc. Where it may not have one of them, the
// process ends before `main`, with an error that says so: the runtime would trap or wait without end.

/// Open files that the process needs at least.
int process_needed_descriptors(void);

#endif
