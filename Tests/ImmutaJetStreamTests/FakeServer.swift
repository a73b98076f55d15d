#if JetStream
  import Glibc
  import ImmutaLibC
  import ImmutaLocking

  /// A server on loopback that greets as a NATS server does, answers pings, and takes no notice of anything else.
  ///
  /// `@unchecked Sendable`: the descriptor never changes, and the flag is behind a lock.
  final class FakeServer: @unchecked Sendable {
    let port: UInt16
    private let listener: Int32
    private let isOver = Lock(false)

    /// One that greets as a server of some name does.
    convenience init(named name: String, version: String = "2.15.1", hasJetStream: Bool = true) throws {
      let jetStream = hasJetStream ? #""jetstream":true,"# : ""
      try self.init(
        info:
          #"{"server_id":"X","server_name":"\#(name)","version":"\#(version)","max_payload":1048576,"headers":true,\#(jetStream)"proto":1}"#
      )
    }

    init(info: String) throws {
      (listener, port) = try Self.listen()
      let greeting = Array("INFO \(info)\r\n".utf8)
      Self.startThread { [self] in serve(greeting) }
    }

    static func loopback(port: UInt16) -> sockaddr_in {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      address.sin_port = port.bigEndian
      return address
    }

    /// A socket that listens on loopback, and its port.
    static func listen() throws -> (Int32, UInt16) {
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = loopback(port: 0)
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
          bind(listener, pointer, size) == 0 && Glibc.listen(listener, 64) == 0
            && getsockname(listener, pointer, &size) == 0
        }
      }
      guard isBound else { throw POSIXFailure(number: errno) }
      return (listener, UInt16(bigEndian: address.sin_port))
    }

    static func startThread(_ run: @escaping @Sendable () -> Void) {
      var thread = pthread_t()
      let body = Unmanaged.passRetained(Body(run))
      pthread_create(
        &thread, nil,
        { context in
          if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
          return nil
        }, body.toOpaque())
      pthread_detach(thread)
    }

    struct POSIXFailure: Error { let number: Int32 }

    private final class Body: Sendable {
      let run: @Sendable () -> Void
      init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    var url: String { "nats://127.0.0.1:\(port)" }

    /// Takes no connection any more, and ends those there are.
    func stop() {
      isOver.withLock { $0 = true }
      shutdown(listener, Int32(SHUT_RDWR))
    }

    /// One thread for all of its connections, which it serves in turn.
    private func serve(_ greeting: [UInt8]) {
      var connections: [Int32] = []
      defer {
        for connection in connections { _ = libcClose(connection) }
        _ = libcClose(listener)
      }
      while !isOver.withLock({ $0 }) {
        var list = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
        list += connections.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&list, nfds_t(list.count), 50) > 0 else { continue }
        for entry in list.dropFirst() where entry.revents != 0 {
          var bytes = [UInt8](repeating: 0, count: 4096)
          let count = libcRead(entry.fd, &bytes, bytes.count)
          if count <= 0 {
            _ = libcClose(entry.fd)
            connections.removeAll { $0 == entry.fd }
          } else if String(decoding: bytes[..<count], as: UTF8.self).contains("PING") {
            _ = libcWrite(entry.fd, "PONG\r\n", 6)
          }
        }
        if list[0].revents != 0 {
          let connection = accept(listener, nil, nil)
          guard connection >= 0 else { continue }
          _ = greeting.withUnsafeBytes { libcWrite(connection, $0.baseAddress, $0.count) }
          connections.append(connection)
        }
      }
    }
  }
#endif
