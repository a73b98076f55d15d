#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// What the command says where it was started.
enum StandardStreams {
  /// A line for whoever, or whatever, started it: it is there at once, also in a pipe.
  static func print(_ line: String) { write(line, to: 1) }

  /// A line about what is wrong.
  static func say(_ line: String) { write(line, to: 2) }

  private static func write(_ line: String, to descriptor: Int32) {
    var rest = Array("\(line)\n".utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
      // If it fails, there is nowhere left to say so.
      guard count > 0 || errno == EINTR else { return }
      rest = rest.dropFirst(max(0, count))
    }
  }

  private static func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Darwin)
      Darwin.write(descriptor, bytes, count)
    #elseif canImport(Musl)
      Musl.write(descriptor, bytes, count)
    #else
      Glibc.write(descriptor, bytes, count)
    #endif
  }

  /// Writing to a connection that was closed is an error then, and does not end the process.
  static func ignoreClosedPipes() { signal(SIGPIPE, SIG_IGN) }
}
