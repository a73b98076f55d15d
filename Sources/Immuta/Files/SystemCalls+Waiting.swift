import CImmutaFileCalls
import ImmutaLibC

// Waiting for other processes: until a word of memory changes, or a file does.
extension SystemCalls {
  /// The result of waiting for words.
  enum Waking {
    /// The word of this number was woken; others may have been, too.
    case woken(Int)
    /// One of the words had another value already, or a signal came.
    case another
    case timedOut
    /// The page of one of the words is not in its file, or cannot be read.
    case unreadable
    /// There is no such call, or it is not allowed.
    case impossible
  }

  /// Waits until one of the words is woken, in this process or another, or the deadline, by ``Clocks/steadyUptime()``, has passed.
  ///
  /// On Linux from 5.16 on, where no filter of calls forbids it. The words' memory is not touched.
  static func wait(for words: [FileWord], until deadline: Int64) -> Waking {
    let raw = unsafe words.map { unsafe $0.raw }
    let result = unsafe file_wait_for_words(raw, raw.count, deadline)
    return switch -result {
    case ...0: .woken(Int(result))
    case EAGAIN, EINTR: .another
    case ETIMEDOUT: .timedOut
    case EFAULT: .unreadable
    default: .impossible
    }
  }

  /// Wakes the waiters for a word; returns how many there were, in all processes. 0 if there is no such call.
  static func wake(_ word: UnsafeRawPointer?) -> Int {
    unsafe max(0, Int(file_wake(word)))
  }

  /// Opens a descriptor that reports changes of files, to be read with `readEvents`. On Linux; elsewhere it throws.
  static func openEvents() throws(FileError) -> Int32 {
    try run(.watch, operation: .inotifyInit, path: "") { _ in Self.reporting(file_events_open()) }
  }

  /// Watches the file at `place`; `path` is its name in errors. Returns the watch's number: the same for the same file.
  static func watch(
    _ place: String, _ watch: file_watch, with events: Int32, path: String
  ) throws(FileError) -> Int32 {
    try run(.watch, operation: .inotifyAddWatch, path: path) { _ in
      unsafe Self.reporting(file_events_watch(events, place, watch))
    }
  }

  /// Ends a watch. The reader of the events gets one that says so.
  static func endWatch(_ watch: Int32, with events: Int32) {
    file_events_end(events, watch)
  }

  /// Waits for events; returns how many bytes of them it read, 0 when there will be no more.
  ///
  /// - Parameter path: the path by which tests recognise them.
  static func readEvents(_ events: Int32, into bytes: UnsafeMutableRawBufferPointer, path: String) -> Int {
    let count = try? run(.read, operation: .pread, path: path) { _ in
      unsafe libcRead(events, bytes.baseAddress, bytes.count)
    }
    return count ?? 0
  }

  /// A result that is an error number below 0, as `run` wants it.
  private static func reporting(_ result: Int32) -> Int32 {
    if result < 0 { errno = -result }
    return result < 0 ? -1 : result
  }
}
