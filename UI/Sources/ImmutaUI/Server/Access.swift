import HTTPTypes
import Hummingbird

/// Who is let in.
///
/// The token keeps out other users of the machine. The name that the browser asked for keeps out pages of other sites: such a
/// page can let its own name lead to this machine, but it cannot choose the name in its requests.
struct Access: Sendable {
  /// Nil lets everybody in.
  let token: Token?
  /// What the server listens on.
  let host: String

  private static let loopbackNames: Set<String> = ["localhost", "127.0.0.1", "::1"]

  static func isLoopback(_ host: String) -> Bool { loopbackNames.contains(host) }

  /// Throws for a request under another name than this server's.
  func check(authority: String?) throws(Failure) {
    guard let authority, let name = Self.name(of: authority) else {
      throw Failure(.badRequest, "The request does not say which host it is for.")
    }
    if Self.loopbackNames.contains(name) || name == host.lowercased() { return }
    // Elsewhere the machine may have any address; an address is no name that another site could have.
    if !Self.isLoopback(host), Self.isAddress(name) { return }
    throw Failure(.misdirectedRequest, "This server does not answer under the name that was asked for.")
  }

  /// Throws unless the request brings the token: in a cookie, or as a bearer. For the page itself it may be in the address.
  func check(_ request: Request, allowsAddress: Bool) throws(Failure) {
    guard let token else { return }
    if allowsAddress, let given = request.uri.queryParameters.get("token"), token.isEqual(to: given) { return }
    if let cookie = request.cookies[Self.cookieName(of: request)], token.isEqual(to: cookie.value) { return }
    if let bearer = request.headers[.authorization], bearer.hasPrefix("Bearer "),
      token.isEqual(to: bearer.dropFirst("Bearer ".count))
    {
      return
    }
    throw Failure(.unauthorized, "Open the address that immuta-ui printed when it was started: it has the token.")
  }

  /// Throws for a request that changes something and comes from a page of another site.
  func checkOrigin(_ request: Request) throws(Failure) {
    guard let origin = request.headers[.origin] else { return }
    guard let authority = request.head.authority, origin == "http://\(authority)" else {
      throw Failure(.forbidden, "This is for the page of this server alone.")
    }
  }

  /// The cookie that lets the browser in from now on; nil where everybody is let in. Browsers do not tell ports apart, so its name
  /// does.
  func cookie(for request: Request) -> Cookie? {
    token.map {
      Cookie(
        name: Self.cookieName(of: request), value: $0.text, path: "/", secure: false, httpOnly: true, sameSite: .strict)
    }
  }

  private static func cookieName(of request: Request) -> String {
    let port = (request.head.authority ?? "").split(separator: ":").last.flatMap { UInt16($0) }
    return port.map { "immuta-ui-\($0)" } ?? "immuta-ui"
  }

  /// Without its port, in small letters.
  private static func name(of authority: String) -> String? {
    if authority.hasPrefix("[") {
      let end = authority.firstIndex(of: "]")
      return end.map { authority[authority.index(after: authority.startIndex)..<$0].lowercased() }
    }
    return authority.split(separator: ":", omittingEmptySubsequences: false).first.map { $0.lowercased() }
  }

  private static func isAddress(_ name: String) -> Bool {
    if name.contains(":") { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }
}

/// Lets in whom ``Access`` lets in, and tells browsers what the pages may do: nothing but what they come with.
struct Gate<Context: RequestContext>: RouterMiddleware {
  let access: Access

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    var response: Response
    do {
      try access.check(authority: request.head.authority)
      let isPage = request.uri.path == "/"
      try access.check(request, allowsAddress: isPage)
      if request.method != .get, request.method != .head { try access.checkOrigin(request) }
      response = try await next(request, context)
      if isPage, let cookie = access.cookie(for: request) { response.setCookie(cookie) }
    } catch let error as HTTPError {
      response = try Failure(error.status, error.body ?? "There is nothing at this address.")
        .response(from: request, context: context)
    } catch {
      response = try Failure(error).response(from: request, context: context)
    }
    for (name, value) in Self.headers where response.headers[name] == nil { response.headers[name] = value }
    return response
  }

  private static var headers: [(HTTPField.Name, String)] {
    [
      (.contentSecurityPolicy, ContentPolicy.page), (.xContentTypeOptions, "nosniff"), (.cacheControl, "no-store"),
    ]
      + [
        ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
      ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }
  }
}

/// What a browser lets a page do.
enum ContentPolicy {
  /// Its own files, and questions to this server. No script or style in the page itself, whatever a record holds.
  static let page = """
    default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'
    """
  /// For the bytes of a record: nothing at all.
  static let bytes = "default-src 'none'; sandbox"
}
