import HTTPTypes
import Hummingbird
import Immuta
import ImmutaCodable
import ImmutaService
import Logging
import ServiceLifecycle

/// A web server whose access log is an Immuta log, and a page that shows it
/// live: `swift run access-log [PORT]`. Stop it with Ctrl-C.
@main struct AccessLog {
  static func main() async throws {
    let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8080
    let storage = try Storage(directory: "./log-data", namespaces: ["access"])
    let visits = try storage.log("access", of: Visit.self)

    let router = Router()
    router.add(middleware: Recorder(visits: visits))
    router.get { _, _ in page }
    router.get("events") { request, _ in
      try events(of: visits.log, for: request)
    }
    let logger = Logger(label: "access-log")
    let server = Application(
      router: router,
      // Only this machine can reach it.
      configuration: .init(address: .hostname("127.0.0.1", port: port)),
      // Shut down last: the requests that are answered then are recorded, too.
      services: [StorageService(storage)],
      onServerRunning: { channel in
        let port = channel.localAddress?.port ?? port
        logger.info("the access log is at http://127.0.0.1:\(port)/")
      },
      logger: logger)
    try await server.runService()  // until SIGTERM, or SIGINT, which is Ctrl-C
  }

  /// The log as server-sent events. An event's id is the record's number: a
  /// browser that lost the connection sends the last one that it has seen.
  static func events(of log: Log, for request: Request) throws -> Response {
    var start = StreamPosition.last(100)
    let name = HTTPField.Name("Last-Event-ID")
    if let id = name.flatMap({ request.headers[$0] }) {
      guard let seen = Int(id), (0..<log.count).contains(seen) else {
        throw HTTPError(.badRequest, message: "there is no record \(id)")
      }
      start = .sequence(seen + 1)
    }
    // It ends when the server is to end, which waits for it.
    let records = log.stream(from: start).cancelOnGracefulShutdown()
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream"],
      body: ResponseBody { writer in
        try await request.body.consumeWithCancellationOnInboundClose { _ in
          for try await record in records {
            // JSON is one line: nothing in it can begin another event.
            let event = "id: \(record.sequence)\ndata: \(record.text)\n\n"
            try await writer.write(ByteBuffer(string: event))
          }
        }
        try await writer.finish(nil)
      })
  }
}

/// What is recorded of a request. Its time is the record's.
struct Visit: Codable {
  var method, path, agent: String
  var status: Int

  init(_ request: Request, _ status: HTTPResponse.Status) {
    (method, path) = (request.method.rawValue, request.uri.path)
    (agent, self.status) = (request.headers[.userAgent] ?? "", status.code)
  }
}

/// Appends a record for each request, as soon as its status is known.
struct Recorder<Context: RequestContext>: RouterMiddleware {
  let visits: TypedLog<Visit>

  func handle(
    _ request: Request, context: Context,
    next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let answer: Result<Response, any Error>
    do {
      answer = .success(try await next(request, context))
    } catch {
      answer = .failure(error)
    }
    let status =
      switch answer {
      case .success(let response): response.status
      case .failure(let error as any HTTPResponseError): error.status
      case .failure: HTTPResponse.Status.internalServerError
      }
    do {
      try await visits.append(Visit(request, status))
    } catch {  // a full disk is no reason to answer nobody
      context.logger.error("a request was not recorded: \(error)")
    }
    return try answer.get()
  }
}
