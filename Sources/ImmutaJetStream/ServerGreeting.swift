#if JetStream
  import ImmutaLibC

  /// A server's first message to each client that connects, which the C library does not pass on.
  struct ServerGreeting: Hashable, Sendable {
    let name: String
    let version: String
    let hasJetStream: Bool

    /// From the line `INFO {…}`; nil for anything else.
    init?(line: some Collection<UInt8>) {
      guard line.starts(with: Array("INFO ".utf8)), let json = JSON(line.dropFirst(5)),
        let version = json["version"]?.string
      else { return nil }
      self.version = version
      name = json["server_name"]?.string ?? json["server_id"]?.string ?? ""
      hasJetStream = json["jetstream"]?.bool ?? false
    }

    /// Whether it is at least this version. A version that is no number of two parts is taken for a new one.
    func isAtLeast(_ major: Int, _ minor: Int) -> Bool {
      let parts = version.split(separator: ".").map { Int($0) }
      guard parts.count >= 2, let first = parts[0], let second = parts[1] else { return true }
      return (first, second) >= (major, minor)
    }

    /// The greeting of a server. Blocks, at most for the timeout for each step; nil where there is none: a server may want
    /// encryption before it says anything.
    static func read(from server: ServerAddress, within timeout: Duration) -> ServerGreeting? {
      guard let descriptor = connect(to: server, within: timeout) else { return nil }
      defer { _ = libcClose(descriptor) }
      var line: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: 4096)
      // A greeting has some hundred bytes, and the servers' names.
      while line.count < 1 << 20 {
        let count = unsafe piece.withUnsafeMutableBytes { bytes in
          unsafe libcRead(descriptor, bytes.baseAddress, bytes.count)
        }
        if count <= 0 { return nil }
        line += piece[..<count]
        if let end = line.firstIndex(of: UInt8(ascii: "\r")) { return ServerGreeting(line: line[..<end]) }
      }
      return nil
    }

    private static func connect(to server: ServerAddress, within timeout: Duration) -> Int32? {
      #if canImport(Darwin)
        let kind = SOCK_STREAM
      #elseif canImport(Musl)
        let kind = SOCK_STREAM
      #else
        let kind = Int32(SOCK_STREAM.rawValue)
      #endif
      var hints = unsafe addrinfo()
      unsafe hints.ai_socktype = kind
      var list: UnsafeMutablePointer<addrinfo>?
      guard unsafe getaddrinfo(server.host, String(server.port), &hints, &list) == 0 else { return nil }
      defer { unsafe freeaddrinfo(list) }
      var next = unsafe list
      while let entry = unsafe next {
        let descriptor = unsafe socket(entry.pointee.ai_family, entry.pointee.ai_socktype, entry.pointee.ai_protocol)
        if descriptor >= 0 {
          let (seconds, rest) = timeout.components
          var limit = timeval()
          limit.tv_sec = Int(seconds)
          limit.tv_usec = numericCast(rest / 1_000_000_000_000)
          let size = socklen_t(MemoryLayout<timeval>.size)
          // Of a connection that comes about, too.
          unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
          unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
          #if canImport(Darwin)
            let isConnected = unsafe Darwin.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0
          #elseif canImport(Musl)
            let isConnected = unsafe Musl.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0
          #else
            let isConnected = unsafe Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0
          #endif
          if isConnected { return descriptor }
          _ = libcClose(descriptor)
        }
        unsafe next = entry.pointee.ai_next
      }
      return nil
    }
  }
#endif
