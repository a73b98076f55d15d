#ifndef IMMUTA_CFILEWAITING_H
#define IMMUTA_CFILEWAITING_H

#include <stddef.h>
#include <stdint.h>

// Waiting for what other processes do with files, without looking again and again. All of it is Linux's; elsewhere each
// call reports ENOSYS.

/// Four bytes of a mapping, and the value that they had. They are never loaded from here: the kernel does that, and
/// reports an error where a load would raise a signal.
struct file_word {
  const void *address;
  uint32_t value;
};

/// How many words can be waited for at once.
enum { FILE_MOST_WORDS = 128 };

/// Waits until somebody wakes one of the words, or the clock that nobody sets (CLOCK_MONOTONIC, in nanoseconds) is past
/// the deadline. Returns the number of a word that was woken, or an errno value, negative: EAGAIN where a word has another
/// value already, ETIMEDOUT, EFAULT where a word's page is not in the file, ENOSYS or EPERM where there is no such call.
int file_wait_for_words(const struct file_word *words, size_t count, int64_t deadline);

/// Wakes all that wait for a word, in every process that maps the same place of the same file. Returns how many there
/// were, or an errno value, negative. The word is not touched.
int file_wake(const void *address);

/// Opens what reports changes of files (inotify). Returns a descriptor, to be read, or an errno value, negative.
int file_events_open(void);

/// What is reported of a file.
enum file_watch {
  /// Of a directory: what gets a name in it, or loses one; and its own moves.
  FILE_WATCH_NAMES,
  /// The same, and that somebody closes a file in it that was open for writing, by whatever ends a process, too.
  FILE_WATCH_CLOSES,
  /// Of a file: the next write or cut by a call, once. Stores into a mapping are not seen.
  FILE_WATCH_NEXT_WRITE,
  /// Of a directory or a symbolic link that is on the way: that it is moved or removed.
  FILE_WATCH_PLACE,
};

/// Watches what is at a path. Returns the watch's number, the same for the same file, or an errno value, negative.
int file_events_watch(int events, const char *path, enum file_watch watch);

/// Ends a watch; the reader of the events gets an event that says so.
void file_events_end(int events, int watch);

#endif
