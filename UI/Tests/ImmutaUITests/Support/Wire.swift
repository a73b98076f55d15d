import Foundation

/// A connection to the server, byte by byte: for what a client library would not send, and for answers without an end.
///
/// Each wait has a deadline.
final class Wire {
  struct Late: Error, CustomStringConvertible {
    let description: String
  }

  private let descriptor: Int32
  private(set) var received = ""
  private let deadline = ContinuousClock.now + .seconds(30)

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Late(description: "cannot connect to port \(port)") }
  }

  deinit { close(descriptor) }

  /// Sends a request: its first line and its headers.
  func send(_ lines: String...) throws {
    let bytes = Array((lines + ["", ""]).joined(separator: "\r\n").utf8)
    let flags = Int32(MSG_NOSIGNAL)
    let count = bytes.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, flags) }
    guard count == bytes.count else { throw Late(description: "the server takes no request") }
  }

  /// Waits until the answer holds a text.
  func wait(for text: String, times: Int = 1) throws {
    while received.ranges(of: text).count < times {
      guard try receive() else { throw Late(description: "the connection ended before “\(text)”: \(received)") }
    }
  }

  /// Waits until the server ends the connection.
  func waitForEnd() throws {
    while try receive() {}
  }

  private func receive() throws -> Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let left = deadline - .now
    guard left > .zero, poll(&wait, 1, Int32(left / .milliseconds(1)) + 1) > 0 else {
      throw Late(description: "nothing came in time; before that: \(received)")
    }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    let count = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
    if count <= 0 { return false }
    received += String(decoding: bytes.prefix(count), as: UTF8.self)
    return true
  }
}
