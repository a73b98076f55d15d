import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Immuta
import ImmutaTestSupport
import NIOCore
import Testing

@testable import ImmutaUI

/// A directory with logs, and the server that shows them.
struct Site {
  let directory = TemporaryDirectory()
  let token: Token?
  var pace = Tail.Pace()
  var decoding = Decoding()

  init(token: Token? = nil) { self.token = token }

  /// A storage that appends, as another process would.
  func writer(_ namespaces: String..., configuration: Storage.Configuration = .init()) throws -> Storage {
    try Storage(directory: directory.path, namespaces: namespaces, configuration: configuration)
  }

  /// Runs the server for as long as the closure takes.
  func serve<Value>(_ body: @Sendable (any TestClientProtocol) async throws -> Value) async throws -> Value {
    var server = Server(
      shelf: LogShelf(directory: directory.path, decoding: decoding), access: Access(token: token, host: "127.0.0.1"))
    server.pace = pace
    let application = Application(
      router: server.router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)))
    return try await application.test(.live, body)
  }
}

/// An answer as a test looks at it.
struct Answer {
  let status: Int
  let headers: HTTPFields
  let bytes: [UInt8]

  init(_ response: TestResponse) {
    (status, headers, bytes) = (response.status.code, response.headers, Array(response.body.readableBytesView))
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Of an object.
  var json: [String: Any] {
    get throws { try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]) }
  }

  /// What is wrong, where something is.
  var error: String? { (try? json)?["error"] as? String }

  /// The records of a page.
  var records: [[String: Any]] {
    get throws { try #require(json["records"] as? [[String: Any]]) }
  }
}

extension TestClientProtocol {
  func get(_ uri: String, headers: HTTPFields = [:]) async throws -> Answer {
    try await execute(uri: uri, method: .get, headers: headers) { Answer($0) }
  }

  func post(_ uri: String, headers: HTTPFields = [:]) async throws -> Answer {
    try await execute(uri: uri, method: .post, headers: headers) { Answer($0) }
  }
}
