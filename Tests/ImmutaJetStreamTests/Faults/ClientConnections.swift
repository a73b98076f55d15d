import Foundation
import ImmutaLibC

/// This process's own connections to servers, found among its descriptors: so a test breaks them as a network does, without
/// the client's knowledge.
enum ClientConnections {
  /// The ports of the servers that this process is connected to, of those given, once for each connection.
  static func ports(among ports: Set<UInt16>) -> [UInt16] {
    descriptors().compactMap { descriptor in peerPort(of: descriptor).flatMap { ports.contains($0) ? $0 : nil } }
  }

  /// Breaks off each connection to one of these ports. Returns how many there were.
  @discardableResult
  static func breakOff(to ports: Set<UInt16>) -> Int {
    var count = 0
    for descriptor in descriptors() {
      guard let port = peerPort(of: descriptor), ports.contains(port) else { continue }
      // Another thread may have closed it by now, and opened something else of that number: that is a test's connection, too.
      if shutdown(descriptor, Int32(SHUT_RDWR)) == 0 { count += 1 }
    }
    return count
  }

  /// How many descriptors this process has.
  static var descriptorCount: Int { descriptors().count }

  private static func descriptors() -> [Int32] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).compactMap { Int32($0) }
  }

  private static func peerPort(of descriptor: Int32) -> UInt16? {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &size) }
    }
    guard result == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
    return UInt16(bigEndian: address.sin_port)
  }
}
