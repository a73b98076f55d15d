import HTTPTypes
import Hummingbird
import Immuta
import NIOCore

/// What is at which address.
struct Server: Sendable {
  typealias Context = BasicRequestContext

  let shelf: LogShelf
  let access: Access
  private let verifications: Verifications
  var pace = Tail.Pace()

  init(shelf: LogShelf, access: Access) {
    (self.shelf, self.access, verifications) = (shelf, access, Verifications(shelf))
  }

  func router() -> Router<Context> {
    let router = Router(context: Context.self)
    router.add(middleware: Gate(access: access))
    for file in PageFile.all {
      router.get(RouterPath(file.name)) { _, _ in file.response() }
    }
    let namespaces = router.group("api/namespaces")
    namespaces.get { request, _ in try await overview(Query(request: request)).jsonResponse() }
    let log = namespaces.group(":name")
    log.get { _, context in
      try await shelf.withShownLog(name(context)) { try LogReport($0) }.jsonResponse()
    }
    log.get("records") { request, context in
      try await records(name(context), Query(request: request)).jsonResponse()
    }
    log.get("records/:number") { request, context in
      let bytes = try Query(request: request).number("bytes", in: 0...(1 << 20)) ?? 64 << 10
      let number = try number(context)
      return try await shelf.withLog(name(context)) { log in
        try RecordShape(try log.record(at: number), atMost: bytes)
      }.jsonResponse()
    }
    log.get("records/:number/payload") { _, context in try await payload(name(context), number(context)) }
    log.get("search") { request, context in
      try await search(name(context), Query(request: request)).jsonResponse()
    }
    log.get("rates") { request, context in
      let query = Query(request: request)
      let (start, end) = try (query.moment("from"), query.moment("until"))
      let parts = try query.number("parts", in: 1...200) ?? 60
      if let start, let end, end < start { throw Failure.badRequest("“until” must not be before “from”.") }
      return try await shelf.withLog(name(context)) { log in
        try Rates(log, from: start, until: end, parts: parts)
      }.jsonResponse()
    }
    log.get("sizes") { _, context in try await shelf.withLog(name(context)) { try Sizes($0) }.jsonResponse() }
    log.get("tail") { request, context in try await tail(name(context), request) }
    log.get("verify") { _, context in
      let name = try await existing(name(context))
      return try await verifications.outcome(of: name).jsonResponse()
    }
    log.post("verify") { _, context in try await verifications.begin(name(context)).jsonResponse() }
    return router
  }

  // MARK: Answers

  private func overview(_ query: Query) async throws -> Overview {
    let count = try query.number("count", in: 1...500) ?? 100
    return try await Overview(shelf, after: query.text("after", atMost: 200), count: count)
  }

  private func records(_ name: LogName, _ query: Query) async throws -> RecordPage {
    let number = try query.number("from", in: 0...Int.max)
    let moment = try query.moment("time")
    if number != nil, moment != nil { throw Failure.badRequest("Use either “from” or “time”.") }
    let count = try query.number("count", in: 1...500) ?? 100
    let bytes = try query.number("bytes", in: 0...(16 << 10)) ?? 512
    let start: RecordPage.Start = number.map { .number($0) } ?? moment.map { .time($0) } ?? .end
    return try await shelf.withLog(name) { log in try RecordPage(log, from: start, count: count, bytes: bytes) }
  }

  private func search(_ name: LogName, _ query: Query) async throws -> SearchPage {
    guard let text = try query.text("text", atMost: 1024) else {
      throw Failure.badRequest("“text” must say what to look for.")
    }
    let number = try query.number("from", in: 0...Int.max) ?? 0
    let ignoresCase = try query.number("ignorecase", in: 0...1) == 1
    return try await shelf.withLog(name) { log in
      try SearchPage(log, for: Needle(text, ignoresCase: ignoresCase), from: number)
    }
  }

  private func tail(_ name: LogName, _ request: Request) async throws -> Response {
    let query = Query(request: request)
    let bytes = try query.number("bytes", in: 0...(16 << 10)) ?? 512
    let from = try query.number("from", in: 0...Int.max)
    var start = from
    if let text = HTTPField.Name("Last-Event-ID").flatMap({ request.headers[$0] }) {
      // One less than the greatest: the next one must be a number, too.
      start = try Query.number(text, called: "Last-Event-ID", in: 0...(Int.max - 1)) + 1
    }
    let log = try await shelf.log(name)
    let end = try await shelf.withLog(name) { $0.numbers.upperBound }
    if let start, start > end {
      throw Failure.badRequest("The log ends before record \(start): its next record gets the number \(end).")
    }
    return Tail(log: log, start: start ?? end, bytesShown: bytes, pace: pace).response(to: request)
  }

  /// All of a record, for whatever program knows what it is: a browser only keeps it.
  private func payload(_ name: LogName, _ number: Int) async throws -> Response {
    let record = try await shelf.withLog(name) { try $0.record(at: number) }
    let payload = record.payload
    return Response(
      status: .ok,
      headers: [
        .contentType: "application/octet-stream", .contentSecurityPolicy: ContentPolicy.bytes,
        .contentDisposition: "attachment; filename=\"\(name.fileName(ofRecord: number))\"",
      ],
      body: ResponseBody(contentLength: payload.count) { writer in
        // In pieces: the network asks for the next one.
        for try await chunk in payload.chunks() { try await writer.write(ByteBuffer(bytes: chunk)) }
        try await writer.finish(nil)
      })
  }

  // MARK: Parts of addresses

  /// A program may escape the colon of a partition's name, and need not.
  private func name(_ context: Context) throws -> LogName {
    LogName(try context.parameters.require("name").replacing(/%3[Aa]/, with: ":"))
  }

  private func number(_ context: Context) throws -> Int {
    try Query.number(context.parameters.require("number"), called: "number", in: 0...Int.max)
  }

  /// The name, where there is such a log.
  private func existing(_ name: LogName) async throws -> LogName { try await shelf.withLog(name) { _ in name } }
}
