#ifndef IMMUTA_CFILECALLS_H
#define IMMUTA_CFILECALLS_H

#include <stdint.h>

// The file calls that Swift's view of libc does not show.

/// Reserves [offset, offset + length) of a file and makes the file at least that long; the reserved bytes read as zero.
/// Returns 0 or an errno value: ENOSPC when there is no room, EOPNOTSUPP when the file system cannot reserve.
/// Unlike posix_fallocate it never falls back on writing zeros, which would be slow and promise nothing.
int file_reserve(int descriptor, int64_t offset, int64_t length);

/// Faults in, for writing, the pages of a mapping (`populate_write`) or, for reading (`populate_read`).
/// Returns 0 or an errno value: EFAULT and EIO where touching the pages would raise a signal, EINVAL where the kernel
/// has no such call.
int file_populate_write(void *address, int64_t length);
int file_populate_read(void *address, int64_t length);

#endif
