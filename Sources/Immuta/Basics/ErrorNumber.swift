import ImmutaLibC

/// The numbers by which the system says why a call failed.
package enum ErrorNumber {
  package static var noSpace: Int32 { ENOSPC }
  package static var notFound: Int32 { ENOENT }
  package static var notDirectory: Int32 { ENOTDIR }
  package static var accessDenied: Int32 { EACCES }
  package static var readOnlyFileSystem: Int32 { EROFS }
  package static var tooManyFiles: Int32 { EMFILE }
  package static var exists: Int32 { EEXIST }
  static var notEmpty: Int32 { ENOTEMPTY }
  package static var cannotReserve: Int32 { EOPNOTSUPP }
  package static var fileTooLarge: Int32 { EFBIG }
  package static var quotaExceeded: Int32 { EDQUOT }
  package static var ioError: Int32 { EIO }
  package static var isSymbolicLink: Int32 { ELOOP }
  static var tryAgain: Int32 { EAGAIN }
  /// What flushing says of a directory that could not be opened for reading.
  static var isPathOnly: Int32 { EBADF }

  /// Whether the error number says that this process may not.
  static func isDenied(_ number: Int32) -> Bool { number == EACCES || number == EPERM }

  /// Whether the error says that there is no room: on the device, in a quota, or below a limit on the file's size.
  static func isLackOfRoom(_ number: Int32) -> Bool {
    number == ENOSPC || number == EDQUOT || number == EFBIG
  }

  /// Whether the error number of `mmap` says that the file cannot be mapped, rather than that something is short.
  static func cannotMap(_ number: Int32) -> Bool {
    [ENODEV, EINVAL, EACCES, EPERM, EOPNOTSUPP, ENOSYS].contains(number)
  }

  /// What the system says of it.
  package static func message(for number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }
}
