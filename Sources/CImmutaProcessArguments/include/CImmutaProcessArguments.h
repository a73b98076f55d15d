#ifndef IMMUTA_CPROCESSARGUMENTS_H
#define IMMUTA_CPROCESSARGUMENTS_H

// The arguments that the process was started with. On Linux, Swift's own view of them is read from /proc, and is empty where
// that is not mounted.

/// How many there are, the program's name among them; 0 where the C library does not hand them over.
int process_argument_count(void);

/// One of them.
const char *process_argument(int position);

/// Open files that the process needs at least. It ends before `main`, with an error that says so, where it may not have
/// as many.
int process_needed_descriptors(void);

#endif
