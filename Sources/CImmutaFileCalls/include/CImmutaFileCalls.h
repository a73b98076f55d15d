#ifndef IMMUTA_CFILECALLS_H
#define IMMUTA_CFILECALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "CFileWaiting.h"

// The file calls that Swift's view of libc does not show.

/// Reserves [offset, offset + length) of a file and makes the file at least that long; the reserved bytes read as zero.
/// Returns 0 or an errno value: ENOSPC when there is no room, EOPNOTSUPP when the file system cannot reserve.
/// Unlike posix_fallocate it never falls back on writing zeros, which would be slow and promise nothing.
int file_reserve(int descriptor, int64_t offset, int64_t length);

/// Faults in the pages of a mapping for reading. Returns 0 or an errno value: EFAULT and EIO where touching the pages
/// would raise a signal, EINVAL where the kernel has no such call.
int file_populate_read(void *address, int64_t length);

/// Writes two buffers, one after the other, at an offset. Returns as `pwritev` does.
ssize_t file_write_two(int descriptor, const void *first, size_t first_count, const void *second, size_t second_count,
                       int64_t offset);

/// Claims a file that is open for writing, so that all others can see that a process writes it. Returns 0, or an errno value:
/// EAGAIN or EACCES if another open file has claimed it, or a user who may only read it is in the way; other values if the system
/// or the file system has no such claims. A claim belongs to the open file, which a mapping may keep open.
int file_claim(int descriptor);

/// Gives up a claim, even if others still hold the open file.
void file_disclaim(int descriptor);

/// Whether another open file has claimed a file. Where there are no claims nobody has.
bool file_is_claimed(int descriptor);

/// Starts to write a file's changed pages to its device, or, to finish, waits until the device has them. That is no flush:
/// the device may keep them in a cache that a power cut empties. Returns 0 or an errno value; ENOSYS where there is no such
/// call.
int file_start_write_back(int descriptor);
int file_finish_write_back(int descriptor);

/// Keeps a mapping out of the processes that this one forks. Returns 0 or an errno value.
int file_keep_from_children(void *address, int64_t length);

/// File systems that are known, by what is known of them.
enum file_system {
  /// Any other, one that lies over others (overlay), and an unknown one.
  FILE_SYSTEM_OTHER,
  /// ext2, ext3 and ext4.
  FILE_SYSTEM_EXT4,
  FILE_SYSTEM_TMPFS,
  /// XFS whose files may share blocks with copies that were made by reference.
  FILE_SYSTEM_XFS_SHARING,
  /// XFS made without that (`mkfs.xfs -m reflink=0`).
  FILE_SYSTEM_XFS,
  FILE_SYSTEM_BTRFS,
};

/// The file system that a file lies on.
enum file_system file_system_of(int descriptor);

/// The size that this process may let a file grow to (RLIMIT_FSIZE); INT64_MAX without a limit. A call that goes beyond
/// raises a signal.
int64_t file_size_limit(void);

/// Opens a new file that has no name, in a directory that is open, for reading and writing, by nobody else. Returns a
/// descriptor; -1 with `errno` set, EOPNOTSUPP where there are no such files.
int file_open_unnamed(int directory);

/// Masks bytes, or takes the mask off, which is the same: by a key of 32 bytes, from a block of 64 bytes on. Without the key, the
/// masked bytes show only how many there are.
void file_mask(const uint8_t *key, uint64_t first_block, void *bytes, size_t count);

/// Zeros to write, `file_zeros_count()` of them.
const void *file_zeros(void);
size_t file_zeros_count(void);

/// Waits for one or two tenths of a microsecond, and signals that to the processor, which then leaves shared resources to others.
void spin_pause(void);

#endif
