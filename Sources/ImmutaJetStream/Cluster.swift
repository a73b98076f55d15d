#if JetStream
  import Immuta

  /// A NATS JetStream cluster that keeps logs: where a log lives when one machine is not enough.
  ///
  /// ```swift
  /// let cluster = try await Cluster.connect("nats://one:4222,nats://two:4222,nats://three:4222")
  /// let orders = try await cluster.log("orders", creating: .init(replicas: 3))
  /// try await orders.append("order placed")
  /// await cluster.close()
  /// ```
  ///
  /// It is one connection, to one server at a time, which all logs of the cluster share. When that server is gone, or is cut off
  /// from the others, it connects to another one, and sends all requests under way again; you need not do anything for that. Any
  /// number of tasks may use it at once. What a cluster promises, and what it does not, is in <doc:GrowingPastOneMachine>.
  public final class Cluster: Sendable {
    let transport: Transport
    /// The consumers that this process has.
    let held = HeldConsumers()

    private init(_ transport: Transport) {
      self.transport = transport
    }

    deinit {
      let transport = transport
      // It waits for the library's threads.
      if (try? WorkThreads.shared.add { transport.close() }) == nil { transport.close() }
    }

    /// The oldest servers that keep a log whole, by their version and by the level of their API: older ones store the records of a
    /// batch one by one.
    static let oldestVersion = (major: 2, minor: 12)
    static let oldestLevel = 2

    /// Connects to one of the cluster's servers, and checks that it is fit to keep logs.
    ///
    /// Cancelling the task ends the call at once.
    ///
    /// - Throws: `.unavailable` where no server answers within ``Options/deadline``; `.invalidConfiguration` where a server is older
    ///   than 2.12, has no JetStream, or refuses the credentials, or where an option makes no sense; `CancellationError`.
    public static func connect(_ options: Options) async throws -> Cluster {
      try check(options)
      let transport = try Transport(options)
      do {
        try await BlockingCall.of { () throws(ImmutaError) in try transport.connect() }
        try await checkServer(transport)
      } catch {
        await BlockingCall.afterwards { transport.close() }
        throw error
      }
      return Cluster(transport)
    }

    /// Connects to one of these servers, separated by commas, with the default options.
    ///
    /// - Throws: as the one with options.
    public static func connect(_ servers: String) async throws -> Cluster {
      try await connect(Options(servers))
    }

    /// Lets others have this process's consumers, and closes the connection: whatever waits ends with `.storageClosed`, and so does every later call of its logs. Records that are
    /// held stay valid. Appends that are under way may be stored or not. Idempotent.
    public func close() async {
      // Where that fails, others wait until nothing was heard of them for a while.
      try? await held.release { _ in true }
      let transport = transport
      await BlockingCall.afterwards { transport.close() }
    }

    /// The server that is connected to, as `nats://host:port`; nil while there is none.
    public var server: String? { transport.connection?.server }

    private static func check(_ options: Options) throws(ImmutaError) {
      for (time, name) in [
        (options.connectTimeout, "connectTimeout"), (options.deadline, "deadline"),
        (options.answerTimeout, "answerTimeout"),
      ] where time < .milliseconds(1) {
        throw .invalidConfiguration("\(name) is \(time): it must be a millisecond at least")
      }
      if options.failuresBeforeMoving < 1 { throw .invalidConfiguration("failuresBeforeMoving must be at least 1") }
    }

    /// Throws where the servers cannot keep logs.
    private static func checkServer(_ transport: Transport) async throws {
      var attempts = Attempts(until: .now + transport.options.deadline)
      let question = Outgoing(subject: "$JS.API.INFO")
      while let time = attempts.time(atMost: transport.options.answerTimeout) {
        var level: Int?
        do {
          switch try await transport.apiOnce(question, within: time) {
          case .success(let json): level = json["api"]?["level"]?.int ?? 0
          case .failure(let refusal): attempts.reason = refusal.description
          }
        } catch let refusal as ServerRefusal {
          attempts.reason = refusal.description
          if refusal.isNoJetStream { throw noJetStream(await greeting(transport)) }
        }
        if let level, level >= oldestLevel { return }
        let greeting = await greeting(transport)
        if let greeting, !greeting.isAtLeast(oldestVersion.major, oldestVersion.minor) {
          throw tooOld("the server \(greeting.name) is NATS \(greeting.version)")
        }
        if let level { throw tooOld("the servers have level \(level) of JetStream's API") }
        if let greeting, !greeting.hasJetStream { throw noJetStream(greeting) }
        try await attempts.rest()
      }
      throw ImmutaError.unavailable("JetStream does not answer: \(attempts.reason)")
    }

    private static func tooOld(_ what: String) -> ImmutaError {
      .invalidConfiguration("\(what): a log needs NATS 2.12 or newer, on all servers of the cluster")
    }

    private static func noJetStream(_ greeting: ServerGreeting?) -> ImmutaError {
      let name = greeting.map { "the server \($0.name)" } ?? "the server"
      return .invalidConfiguration(
        "\(name) keeps no logs: turn JetStream on, for the server and for the account of this client")
    }

    private static func greeting(_ transport: Transport) async -> ServerGreeting? {
      guard let url = transport.connection?.server, let server = try? ServerAddress(url) else { return nil }
      let timeout = transport.options.connectTimeout
      return try? await BlockingCall.of { () throws(ImmutaError) in ServerGreeting.read(from: server, within: timeout) }
    }
  }
#endif
