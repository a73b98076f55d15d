#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "CImmutaFileCalls.h"

#include <errno.h>
#include <fcntl.h>
#if defined(__linux__)
#include <linux/magic.h>
#include <sys/ioctl.h>
#endif
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#if defined(__linux__)
#include <sys/vfs.h>
#endif
#include <unistd.h>

ssize_t file_write_two(int descriptor, const void *first, size_t first_count, const void *second, size_t second_count,
                       int64_t offset) {
  // The system call reads through the pointers only.
  const struct iovec pieces[] = {{(void *)first, first_count}, {(void *)second, second_count}};
  return pwritev(descriptor, pieces, 2, (off_t)offset);
}

#if defined(F_OFD_SETLK)

// One byte that no file has, as other programs lock those that files have.
static struct flock claim(short type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = INT64_MAX - 1, .l_len = 1};
  return lock;
}

int file_claim(int descriptor) {
  struct flock lock = claim(F_WRLCK);
  return fcntl(descriptor, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

void file_disclaim(int descriptor) {
  struct flock lock = claim(F_UNLCK);
  (void)fcntl(descriptor, F_OFD_SETLK, &lock);
}

bool file_is_claimed(int descriptor) {
  // A read lock of a user who may only read is not in the way: only a claim conflicts with this.
  struct flock lock = claim(F_RDLCK);
  return fcntl(descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

#else

int file_claim(int descriptor) {
  (void)descriptor;
  return ENOSYS;
}

void file_disclaim(int descriptor) { (void)descriptor; }

bool file_is_claimed(int descriptor) {
  (void)descriptor;
  return false;
}

#endif

int file_open_unnamed(int directory) {
#if defined(O_TMPFILE)
  int descriptor = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  // What a file system without such files says, and a kernel that takes the flags for others.
  if (descriptor < 0 && (errno == EISDIR || errno == ENOENT || errno == EINVAL)) errno = EOPNOTSUPP;
  return descriptor;
#else
  (void)directory;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

// Not const: so it takes no room in the program's file, and untouched pages share the system's one page of zeros. No more at
// once: the page cache keeps what one call wrote in one piece, if it can, and a flush writes all of a piece of which a byte has
// changed. On ext4 a flush after each append takes 75 µs with 64 KiB, and 166 µs with 256 KiB.
static unsigned char zeros[64 << 10];

const void *file_zeros(void) { return zeros; }

size_t file_zeros_count(void) { return sizeof zeros; }

int64_t file_size_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return INT64_MAX;
  return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

#if defined(__linux__)

#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  return fallocate(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

int file_start_write_back(int descriptor) {
  return sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : errno;
}

int file_finish_write_back(int descriptor) {
  const unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  return sync_file_range(descriptor, 0, 0, flags) == 0 ? 0 : errno;
}

// What the kernel says of an XFS, in its first version; <xfs/xfs.h> is not on every machine.
struct xfs_geometry {
  uint32_t sizes[8];
  uint64_t counts[4];
  unsigned char uuid[16];
  uint32_t stripes[2];
  int32_t version;
  uint32_t flags;
  uint32_t more_sizes[3];
};
_Static_assert(sizeof(struct xfs_geometry) == 112, "the kernel's is 112 bytes");
#define XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)
#define XFS_GEOMETRY_REFLINK (1u << 20)

static enum file_system kind_of_xfs(int descriptor) {
  struct xfs_geometry geometry = {0};
  if (ioctl(descriptor, XFS_GEOMETRY, &geometry) != 0) return FILE_SYSTEM_XFS_SHARING;
  return geometry.flags & XFS_GEOMETRY_REFLINK ? FILE_SYSTEM_XFS_SHARING : FILE_SYSTEM_XFS;
}

enum file_system file_system_of(int descriptor) {
  struct statfs status;
  if (fstatfs(descriptor, &status) != 0) return FILE_SYSTEM_OTHER;
  switch ((uint32_t)status.f_type) {
    case EXT4_SUPER_MAGIC: return FILE_SYSTEM_EXT4;
    case TMPFS_MAGIC: return FILE_SYSTEM_TMPFS;
    case XFS_SUPER_MAGIC: return kind_of_xfs(descriptor);
    case BTRFS_SUPER_MAGIC: return FILE_SYSTEM_BTRFS;
    default: return FILE_SYSTEM_OTHER;
  }
}

int file_keep_from_children(void *address, int64_t length) {
  return madvise(address, (size_t)length, MADV_DONTFORK) == 0 ? 0 : errno;
}

int file_populate_read(void *address, int64_t length) {
  return madvise(address, (size_t)length, MADV_POPULATE_READ) == 0 ? 0 : errno;
}

#elif defined(__APPLE__)

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return errno;
  const int64_t end = offset + length;
  if (status.st_size >= end) return 0;
  fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, end - status.st_size, 0};
  if (fcntl(descriptor, F_PREALLOCATE, &store) != 0) return errno == ENOTSUP ? EOPNOTSUPP : errno;
  return ftruncate(descriptor, end) == 0 ? 0 : errno;
}

int file_populate_read(void *address, int64_t length) {
  (void)address, (void)length;
  return EINVAL;
}

#else

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  (void)descriptor, (void)offset, (void)length;
  return EOPNOTSUPP;
}

int file_populate_read(void *address, int64_t length) {
  (void)address, (void)length;
  return EINVAL;
}

#endif

#if !defined(__linux__)

// Where no file system is known to keep locks by a mapping, nobody asks.
int file_keep_from_children(void *address, int64_t length) {
  (void)address, (void)length;
  return ENOSYS;
}

int file_start_write_back(int descriptor) {
  (void)descriptor;
  return ENOSYS;
}

int file_finish_write_back(int descriptor) {
  (void)descriptor;
  return ENOSYS;
}

enum file_system file_system_of(int descriptor) {
  (void)descriptor;
  return FILE_SYSTEM_OTHER;
}

#endif

void spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  for (int i = 0; i < 4; i++) __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  for (int i = 0; i < 64; i++) __asm__ volatile("yield");
#endif
}
