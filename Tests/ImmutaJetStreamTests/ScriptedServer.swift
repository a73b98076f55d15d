#if JetStream
  import Glibc
  import ImmutaLibC
  import ImmutaLocking

  /// A server on loopback that answers each question with what the test says.
  ///
  /// `@unchecked Sendable`: the descriptor never changes, and the rest is behind a lock or on the one thread that serves.
  final class ScriptedServer: @unchecked Sendable {
    /// What a client published.
    struct Question: Sendable {
      let subject: String
      /// The lines of its header, and then the body.
      let text: String

      /// The value of a line of the header.
      func header(_ name: String) -> String? {
        text.split(separator: "\r\n").first { $0.hasPrefix(name + ":") }.map {
          String($0.dropFirst(name.utf8.count + 1).drop { $0 == " " })
        }
      }
    }

    let port: UInt16
    var url: String { "nats://127.0.0.1:\(port)" }
    private let listener: Int32
    private let answer: @Sendable (Question) -> String?
    private let replySubject: @Sendable (Question) -> String?
    private let asked = Lock<[Question]>([])

    /// - Parameters:
    ///   - replySubject: where the answer says that it can be answered: of a record that a consumer delivers its place.
    ///   - answer: the body of an answer; nil for none. Called on the server's thread.
    init(
      replySubject: @escaping @Sendable (Question) -> String? = { _ in nil },
      _ answer: @escaping @Sendable (Question) -> String?
    ) throws {
      (listener, port) = try FakeServer.listen()
      self.answer = answer
      self.replySubject = replySubject
      FakeServer.startThread { [self] in
        // One client at a time, until there is no listener any more.
        while true {
          let connection = accept(listener, nil, nil)
          if connection < 0 { break }
          serve(connection)
          _ = libcClose(connection)
        }
        _ = libcClose(listener)
      }
    }

    /// What was published so far.
    var questions: [Question] { asked.withLock { $0 } }

    /// Takes no connection any more. The one there is ends with the client.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve(_ connection: Int32) {
      send(
        #"INFO {"server_id":"X","server_name":"script","version":"2.15.1","max_payload":1048576,"headers":true,"jetstream":true,"proto":1}"#
          + "\r\n", to: connection)
      var lines = Lines(connection)
      /// Subscriptions: what their subject begins with, and their ids.
      var subscriptions: [(prefix: String, id: String)] = []
      while let line = lines.next() {
        let words = line.split(separator: " ").map(String.init)
        switch words.first?.uppercased() {
        case "PING": send("PONG\r\n", to: connection)
        case "SUB": subscriptions.append((String(words[1].prefix { $0 != "*" }), words[words.count - 1]))
        case "PUB", "HPUB":
          guard let size = Int(words[words.count - 1]), let text = lines.take(size) else { return }
          let question = Question(subject: words[1], text: text)
          asked.withLock { $0.append(question) }
          // With a header there is one size more.
          let replySubject = words.count == (words[0].uppercased() == "PUB" ? 4 : 5) ? words[2] : nil
          guard let body = answer(question), let replySubject,
            let id = subscriptions.first(where: { replySubject.hasPrefix($0.prefix) })?.id
          else { continue }
          let origin = self.replySubject(question).map { "\($0) " } ?? ""
          send("MSG \(replySubject) \(id) \(origin)\(body.utf8.count)\r\n\(body)\r\n", to: connection)
        default: break
        }
      }
    }

    private func send(_ text: String, to connection: Int32) {
      let bytes = Array(text.utf8)
      // What a client on this machine is sent here fits the socket's buffer.
      _ = bytes.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// What a connection brings, line by line.
    private struct Lines {
      private let connection: Int32
      private var bytes: [UInt8] = []

      init(_ connection: Int32) { self.connection = connection }

      mutating func next() -> String? {
        while true {
          if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: bytes[..<end].filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
            bytes.removeFirst(end + 1)
            return line
          }
          if !fill() { return nil }
        }
      }

      /// So many bytes, and then the end of the line.
      mutating func take(_ count: Int) -> String? {
        while bytes.count < count + 2 { if !fill() { return nil } }
        defer { bytes.removeFirst(count + 2) }
        return String(decoding: bytes[..<count], as: UTF8.self)
      }

      private mutating func fill() -> Bool {
        var piece = [UInt8](repeating: 0, count: 4096)
        let count = libcRead(connection, &piece, piece.count)
        if count > 0 { bytes += piece[..<count] }
        return count > 0
      }
    }
  }
#endif
