#if os(Linux)
  import Foundation
  import ImmutaLibC
  import Testing

  /// A terminal of its own, whose other side is the test's.
  final class Terminal {
    /// What programs open.
    let path: String
    private let side: Int32
    /// Held open, so that what was printed is still there when the program has ended.
    private let held: Int32

    init() throws {
      // Swift does not show `posix_openpt` and its like: TIOCSPTLCK unlocks, TIOCGPTN tells the number.
      side = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
      try #require(side >= 0)
      var (lock, number): (Int32, UInt32) = (0, 0)
      try #require(ioctl(side, 0x4004_5431, &lock) == 0 && ioctl(side, 0x8004_5430, &number) == 0)
      path = "/dev/pts/\(number)"
      held = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
      try #require(held >= 0)
    }

    deinit {
      close(held)
      close(side)
    }

    /// Types text; U+0004 is Ctrl-D.
    func type(_ text: String) throws {
      let bytes = Array(text.utf8)
      try #require(bytes.withUnsafeBytes { write(side, $0.baseAddress, $0.count) } == bytes.count)
    }

    /// What was printed and not read yet. Waits for something, but not for long.
    func read(within time: Duration = .zero) -> String {
      var wait = pollfd(fd: side, events: Int16(POLLIN), revents: 0)
      guard poll(&wait, 1, Int32(time / .milliseconds(1))) > 0 else { return "" }
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let count = buffer.withUnsafeMutableBytes { ImmutaLibC.read(side, $0.baseAddress, $0.count) }
      // The terminal turns each newline into two bytes.
      return String(decoding: buffer[..<max(0, count)], as: UTF8.self).replacing("\r\n", with: "\n")
    }

    /// The words of a shell that makes one or several of a program's descriptors this terminal, and becomes the program.
    ///
    /// - Parameter descriptors: as a shell writes it, such as `2>`.
    func shell(_ descriptors: String..., variables: [String] = []) -> [String] {
      let redirections = descriptors.map { "\($0) \(path)" }.joined(separator: " ")
      return ["/usr/bin/env"] + variables + ["/bin/sh", "-c", "exec \"$@\" \(redirections)", "sh"]
    }
  }
#endif
