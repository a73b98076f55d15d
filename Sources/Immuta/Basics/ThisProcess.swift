import ImmutaLibC

/// The process that this code runs in, and what it may have.
package enum ThisProcess {
  /// Its number.
  static var identity: Int32 { getpid() }

  /// Whether there is a process of this number.
  static func isRunning(_ process: Int32) -> Bool { kill(process, 0) == 0 || errno == EPERM }

  /// The user whose rights it has.
  static var effectiveUser: UInt32 { geteuid() }

  /// Processors that it may run on, at least 1.
  static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Files that it may have open at once.
  package static var mostOpenFiles: Int { Int(sysconf(Int32(_SC_OPEN_MAX))) }
}
