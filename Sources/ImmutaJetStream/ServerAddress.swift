#if JetStream
  import Immuta

  /// Where a server is: a URL, taken apart.
  struct ServerAddress: Hashable, Sendable {
    /// As the C library takes it.
    let url: String
    let host: String
    let port: UInt16
    let isEncrypted: Bool
    /// What stands before the host: a user and a password, or a token; nil for nothing.
    let userInfo: String?

    /// From a URL as a user writes it; the scheme and the port may be left out.
    ///
    /// - Throws: `.invalidConfiguration`, with what is wrong. It shows no password.
    init(_ text: String) throws(ImmutaError) {
      let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
      let scheme = parts.count == 2 ? parts[0].lowercased() : "nats"
      guard scheme == "nats" || scheme == "tls" else {
        throw .invalidConfiguration("“\(scheme)://” is no server's URL: begin it with nats:// or tls://")
      }
      isEncrypted = scheme == "tls"
      var rest = parts[parts.count - 1]
      if rest.last == "/" { rest.removeLast() }
      let sign = rest.lastIndex(of: "@")
      userInfo = sign.map { String(rest[..<$0]) }
      let place = sign.map { rest[rest.index(after: $0)...] } ?? rest
      let shown = "\(scheme)://\(place)"
      guard !rest.contains(where: { $0.isWhitespace || $0 == "/" || $0 == "?" || $0 == "#" }) else {
        throw .invalidConfiguration("the server \(shown) has more than a host and a port: write nats://host:port")
      }
      // An address of version 6 is in brackets, and has colons.
      let end =
        place.first == "[" ? place.firstIndex(of: "]").map { place.index(after: $0) } : place.firstIndex(of: ":")
      let host = place[..<(end ?? place.endIndex)]
      let tail = place[(end ?? place.endIndex)...]
      guard !host.isEmpty, host != "[]", place.first != "[" || end != nil else {
        throw .invalidConfiguration("the server \(shown) has no host: write nats://host:port")
      }
      if tail.isEmpty {
        port = 4222
      } else {
        guard tail.first == ":", let number = UInt16(tail.dropFirst()), number > 0 else {
          throw .invalidConfiguration("the server \(shown) has no port between 1 and 65535: write nats://host:port")
        }
        port = number
      }
      self.host = host.first == "[" ? String(host.dropFirst().dropLast()) : String(host)
      url = tail.isEmpty ? "\(scheme)://\(rest):4222" : "\(scheme)://\(rest)"
    }

    /// All that the texts name, in order, each once.
    ///
    /// - Throws: `.invalidConfiguration`, also where there is none.
    static func list(_ texts: [String]) throws(ImmutaError) -> [ServerAddress] {
      var list: [ServerAddress] = []
      for text in texts {
        for part in text.split(separator: ",") {
          let trimmed = part.drop { $0.isWhitespace }
          guard let last = trimmed.lastIndex(where: { !$0.isWhitespace }) else { continue }
          let address = try ServerAddress(String(trimmed[...last]))
          if !list.contains(address) { list.append(address) }
        }
      }
      if list.isEmpty { throw .invalidConfiguration("no server is named: write nats://host:port, separated by commas") }
      return list
    }

    /// A server that others announced, reached in the same way as these: they announce only a host and a port.
    init?(toldOf url: String, by known: [ServerAddress]) {
      guard let told = try? ServerAddress(url) else { return nil }
      let scheme = known.contains(where: \.isEncrypted) ? "tls" : "nats"
      let user = known.compactMap(\.userInfo).first.map { $0 + "@" } ?? ""
      let host = told.host.contains(":") ? "[\(told.host)]" : told.host
      guard let address = try? ServerAddress("\(scheme)://\(user)\(host):\(told.port)") else { return nil }
      self = address
    }

    /// Without what is secret.
    var shown: String { "\(isEncrypted ? "tls" : "nats")://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// Whether a connected URL, as the library reports it, is this server.
    func isAt(_ connectedURL: String) -> Bool {
      guard let other = try? ServerAddress(connectedURL) else { return false }
      return other.host == host && other.port == port
    }
  }
#endif
