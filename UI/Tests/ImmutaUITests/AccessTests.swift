import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaUI

@Suite("Who is let in")
struct AccessTests {
  let site = Site(token: Token())

  private var token: String { site.token?.text ?? "" }

  @Test("Without the token there is nothing: not the page, not its files, not what does not exist")
  func withoutToken() async throws {
    try await site.serve { client in
      let wrong = String(token.reversed())
      for path in [
        "/", "/app.js", "/api/namespaces", "/api/namespaces/x/tail", "/nowhere", "/?token=\(wrong)", "/?token=",
        "/app.js?token=\(token)", "/api/namespaces?token=\(token)",
      ] {
        let answer = try await client.get(path)
        #expect(answer.status == 401, "\(path)")
        #expect(answer.error?.hasPrefix("Open the address that immuta-ui printed") == true)
        #expect(answer.headers[.setCookie] == nil)
      }
      for headers: HTTPFields in [
        [.authorization: "Bearer \(wrong)"], [.authorization: token], [.cookie: "immuta-ui=\(wrong)"], [.cookie: token],
      ] {
        #expect(try await client.get("/api/namespaces", headers: headers).status == 401)
      }
    }
  }

  @Test("The address with the token gives a cookie, and the cookie lets in from then on")
  func cookie() async throws {
    try await site.serve { client in
      let page = try await client.get("/?token=\(token)")
      #expect(page.status == 200)
      let cookie = try #require(page.headers[.setCookie])
      #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"))
      let pair = String(cookie.prefix { $0 != ";" })
      for path in ["/", "/app.js", "/api/namespaces"] {
        #expect(try await client.get(path, headers: [.cookie: pair]).status == 200, "\(path)")
      }
      #expect(try await client.get("/api/namespaces", headers: [.authorization: "Bearer \(token)"]).status == 200)
    }
  }

  @Test("A request under another name than this machine's is refused, whatever it brings")
  func otherNames() async throws {
    try await site.serve { client in
      let port = try #require(client.port)
      for (host, isLetIn) in [
        ("localhost:\(port)", true), ("127.0.0.1", true), ("[::1]:\(port)", true), ("LOCALHOST", true),
        ("evil.example", false), ("evil.example:\(port)", false), ("127.0.0.1.evil.example", false),
        ("192.168.1.7", false), ("", false),
      ] {
        let wire = try Wire(port: port)
        try wire.send(
          "GET /api/namespaces HTTP/1.1", "Host: \(host)", "Authorization: Bearer \(token)", "Connection: close")
        try wire.waitForEnd()
        let status = wire.received.split(separator: " ").dropFirst().first
        #expect((status == "200") == isLetIn, "\(host): \(wire.received)")
      }
    }
  }

  @Test("If it listens elsewhere, addresses are let in, and of names only the one it was given")
  func elsewhere() throws {
    let access = Access(token: nil, host: "logs.example")
    for authority in ["logs.example:80", "10.0.0.7:4800", "[fe80::1]", "localhost"] {
      try access.check(authority: authority)
    }
    for authority in ["evil.example", "10.0.0.7.evil.example", "1.2.3", "1.2.3.4.5", "a.b.c.d"] {
      #expect(throws: Failure.self) { try access.check(authority: authority) }
    }
    #expect(throws: Failure.self) { try access.check(authority: nil) }
  }

  @Test("A page of another site cannot start a verification")
  func otherOrigins() async throws {
    let site = Site()
    try site.writer("events").close()
    try await site.serve { client async throws in
      let path = "/api/namespaces/events/verify"
      #expect(try await client.post(path, headers: [.origin: "http://evil.example"]).status == 403)
      #expect(try await client.post(path, headers: [.origin: "null"]).status == 403)
      #expect(try await client.post(path, headers: [.origin: "http://localhost"]).status == 200)
      #expect(try await client.post(path).status == 200)
    }
  }

  @Test("Every answer tells the browser that nothing but the page's own files may run")
  func headers() async throws {
    try await site.serve { client in
      let login: HTTPFields = [.authorization: "Bearer \(token)"]
      for path in ["/", "/app.js", "/api/namespaces", "/nowhere", "/api/namespaces/none"] {
        for headers in [login, [:]] {
          let answer = try await client.get(path, headers: headers)
          let policy = try #require(answer.headers[.contentSecurityPolicy])
          #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"))
          #expect(!policy.contains("unsafe"))
          #expect(answer.headers[.xContentTypeOptions] == "nosniff")
          #expect(answer.headers[.cacheControl] == "no-store")
        }
      }
    }
  }

  @Test("The page and its files refer to nothing elsewhere, and have no script or style in the markup")
  func pageFiles() {
    for file in PageFile.all {
      let text = String(decoding: file.bytes, as: UTF8.self)
      #expect(!text.isEmpty, "\(file.name)")
      let addresses = text.replacing("http://www.w3.org/2000/svg", with: "")
      #expect(!addresses.contains("http:") && !addresses.contains("https:") && !addresses.contains("@import"))
      #expect(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML") && !text.contains("document.write"))
    }
    let index = String(decoding: PageFile.index.bytes, as: UTF8.self)
    #expect(!index.contains("style=") && !index.contains("<style") && !index.contains("onclick"))
    for file in PageFile.all.dropFirst() where file.name.hasSuffix(".js") {
      let text = String(decoding: file.bytes, as: UTF8.self)
      for imported in text.matches(of: /from "\.\/([a-z.]+)"/) {
        #expect(PageFile.all.contains { $0.name == imported.1 }, "\(file.name) needs \(imported.1)")
      }
    }
  }

  @Test("A token is 128 random bits, and a file keeps it for the next time, for its owner alone")
  func tokens() throws {
    let tokens = Set((0..<100).map { _ in Token().text })
    #expect(tokens.count == 100)
    #expect(tokens.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) })
    let directory = TemporaryDirectory()
    let file = directory.file("token")
    let made = try Token(file: file)
    #expect(try Token(file: file).text == made.text)
    #expect(made.isEqual(to: made.text) && !made.isEqual(to: made.text.dropLast()) && !made.isEqual(to: ""))
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file)
    #expect(throws: Failure.self) { try Token(file: file) }
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    try directory.write(Array("short\n".utf8), to: "token")
    #expect(throws: Failure.self) { try Token(file: file) }
    #expect(throws: Failure.self) { try Token(file: directory.file("no/such/folder")) }
  }
}
