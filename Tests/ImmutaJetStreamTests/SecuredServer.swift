#if JetStream
  import Foundation
  import ImmutaTestSupport
  import Testing

  /// A server of its own for one test: encrypted, and it lets in only who shows a certificate that its authority signed, and a token.
  final class SecuredServer {
    static let token = "an-open-secret"

    let port: Int
    /// Ends with this, before its files go.
    private let server: ChildProcess
    private let place = TemporaryDirectory()

    /// - Parameter executable: the server's program.
    init(_ executable: String) throws {
      try Self.makeCertificates(in: place)
      for name in ["store", "ports"] { _ = try place.subdirectory(name) }
      let file = { [place] (name: String) in "\"\(place.file(name))\"" }
      try place.write(
        Array(
          """
          server_name: secured
          host: 127.0.0.1
          port: -1
          ports_file_dir: \(file("ports"))
          jetstream { store_dir: \(file("store")) }
          authorization { token: "\(Self.token)" }
          tls { cert_file: \(file("server.pem")), key_file: \(file("server.key")), ca_file: \(file("ca.pem")), verify: true }
          """.utf8), to: "server.conf")
      server = try ChildProcess(executable, ["-c", place.file("server.conf"), "-l", place.file("server.log")])
      guard let port = Self.port(below: place.file("ports")) else {
        let lines = (try? place.bytes(of: "server.log")) ?? []
        throw Finding("the server does not begin: \(String(decoding: lines, as: UTF8.self))")
      }
      self.port = port
    }

    var url: String { "tls://127.0.0.1:\(port)" }

    /// A file that was made for it: `ca.pem`, `client.pem`, `client.key`; `other.pem` and `other.key` of another authority.
    func file(_ name: String) -> String { place.file(name) }

    /// The port that the server has chosen, which it writes down once it listens.
    private static func port(below directory: String) -> Int? {
      let end = ContinuousClock.now + .seconds(20)
      while ContinuousClock.now < end {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
          let object = FileManager.default.contents(atPath: "\(directory)/\(name)").flatMap {
            try? JSONSerialization.jsonObject(with: $0) as? [String: [String]]
          }
          if let url = object?["nats"]?.first ?? object?["tls"]?.first, let port = URL(string: url)?.port {
            return port
          }
        }
        usleep(20_000)
      }
      return nil
    }

    private static func makeCertificates(in place: TemporaryDirectory) throws {
      for authority in ["ca", "other"] {
        try openssl(
          "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=\(authority)", "-keyout",
          place.file("\(authority).key"), "-out", place.file("\(authority).pem"))
      }
      try place.write(Array("subjectAltName=IP:127.0.0.1,DNS:localhost\n".utf8), to: "names.txt")
      for holder in ["server", "client"] {
        try openssl(
          "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=\(holder)", "-keyout", place.file("\(holder).key"),
          "-out", place.file("\(holder).csr"))
        try openssl(
          "x509", "-req", "-days", "2", "-in", place.file("\(holder).csr"), "-CA", place.file("ca.pem"), "-CAkey",
          place.file("ca.key"), "-CAcreateserial", "-extfile", place.file("names.txt"), "-out",
          place.file("\(holder).pem"))
      }
    }

    private static func openssl(_ arguments: String...) throws {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = ["openssl"] + arguments
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      if process.terminationStatus != 0 { throw Finding("openssl \(arguments) failed") }
    }

    /// Whether certificates can be made here.
    static var canMakeCertificates: Bool { (try? openssl("version")) != nil }
  }
#endif
