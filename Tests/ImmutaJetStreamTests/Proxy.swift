#if JetStream
  import Glibc
  import ImmutaLibC
  import ImmutaLocking

  /// Stands between a client and a server, and can lose what one says to the other.
  ///
  /// `@unchecked Sendable`: the descriptor and the target never change, and the rest is behind a lock.
  final class Proxy: @unchecked Sendable {
    struct Behaviour: Sendable {
      /// What the server says does not arrive.
      var losesAnswers = false
      /// What the client says does not arrive.
      var losesQuestions = false
    }

    private struct State {
      var behaviour = Behaviour()
      var isOver = false
      /// Whether all connections are to be ended once.
      var cuts = false
      var accepted = 0
    }

    private struct Pair {
      let client: Int32
      let server: Int32
    }

    let port: UInt16
    private let target: sockaddr_in
    private let listener: Int32
    private let state = Lock(State())

    /// - Parameter url: `nats://127.0.0.1:port`.
    init(to url: String) throws {
      guard let port = UInt16(url.split(separator: ":").last ?? "") else {
        throw FakeServer.POSIXFailure(number: EINVAL)
      }
      target = FakeServer.loopback(port: port)
      (listener, self.port) = try FakeServer.listen()
      FakeServer.startThread { [self] in serve() }
    }

    var url: String { "nats://127.0.0.1:\(port)" }
    /// How many connections there were so far.
    var accepted: Int { state.withLock { $0.accepted } }

    func set(losesAnswers: Bool = false, losesQuestions: Bool = false) {
      state.withLock { $0.behaviour = Behaviour(losesAnswers: losesAnswers, losesQuestions: losesQuestions) }
    }

    /// Ends all connections; new ones can be made.
    func cut() { state.withLock { $0.cuts = true } }

    func stop() {
      state.withLock { $0.isOver = true }
      shutdown(listener, Int32(SHUT_RDWR))
    }

    private func serve() {
      var pairs: [Pair] = []
      defer {
        for pair in pairs { Self.end(pair) }
        _ = libcClose(listener)
      }
      var bytes = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        let (isOver, cuts) = state.withLock { state in
          defer { state.cuts = false }
          return (state.isOver, state.cuts)
        }
        if isOver { return }
        if cuts {
          for pair in pairs { Self.end(pair) }
          pairs = []
        }
        var list = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
        for pair in pairs {
          list.append(pollfd(fd: pair.client, events: Int16(POLLIN), revents: 0))
          list.append(pollfd(fd: pair.server, events: Int16(POLLIN), revents: 0))
        }
        guard poll(&list, nfds_t(list.count), 5) > 0 else { continue }
        // Asked now: what was set before something was said holds for it.
        let behaviour = state.withLock { $0.behaviour }
        var ended: Set<Int32> = []
        for (place, pair) in pairs.enumerated() {
          for (from, to, loses, revents) in [
            (pair.client, pair.server, behaviour.losesQuestions, list[1 + 2 * place].revents),
            (pair.server, pair.client, behaviour.losesAnswers, list[2 + 2 * place].revents),
          ] where revents != 0 && !ended.contains(pair.client) {
            let count = libcRead(from, &bytes, bytes.count)
            if count <= 0 || (!loses && !Self.write(bytes[..<count], to)) { ended.insert(pair.client) }
          }
        }
        for pair in pairs where ended.contains(pair.client) { Self.end(pair) }
        pairs.removeAll { ended.contains($0.client) }
        if list[0].revents != 0 { accept(into: &pairs) }
      }
    }

    private func accept(into pairs: inout [Pair]) {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { return }
      let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = target
      let isConnected = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
      }
      if isConnected {
        state.withLock { $0.accepted += 1 }
        pairs.append(Pair(client: client, server: server))
      } else {
        Self.end(Pair(client: client, server: server))
      }
    }

    private static func write(_ bytes: ArraySlice<UInt8>, _ descriptor: Int32) -> Bool {
      var rest = bytes
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count <= 0 { return false }
        rest = rest.dropFirst(count)
      }
      return true
    }

    private static func end(_ pair: Pair) {
      _ = libcClose(pair.client)
      _ = libcClose(pair.server)
    }
  }
#endif
