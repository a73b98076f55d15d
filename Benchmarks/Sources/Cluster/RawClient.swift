#if JetStream
  import CImmutaNats

  /// The C client alone, as its documentation shows it: the floor of what a log on a cluster can do. No ids, no expected numbers,
  /// nothing asked again.
  ///
  /// Used by one task at a time.
  @safe final class RawClient {
    private var options: OpaquePointer?
    private var connection: OpaquePointer?
    private var context: OpaquePointer?

    init(server: String, window: Int) {
      unsafe Self.check(natsOptions_Create(&options))
      unsafe Self.check(natsOptions_SetURL(options, server))
      unsafe Self.check(natsOptions_SetSendAsap(options, true))
      unsafe Self.check(natsConnection_Connect(&connection, options))
      var settings = unsafe jsOptions()
      unsafe Self.check(jsOptions_Init(&settings))
      unsafe settings.PublishAsync.MaxPending = Int64(window)
      unsafe settings.PublishAsync.StallWait = 10_000
      unsafe Self.check(natsConnection_JetStream(&context, connection, &settings))
    }

    deinit {
      unsafe jsCtx_Destroy(context)
      unsafe natsConnection_Destroy(connection)
      unsafe natsOptions_Destroy(options)
    }

    private static func check(_ status: natsStatus) {
      guard status == NATS_OK else { fatalError("the C client: \(unsafe String(cString: natsStatus_GetText(status)))") }
    }

    /// Which server leads a stream; nil while none does.
    func leader(of stream: String) -> String? {
      guard let text = request("$JS.API.STREAM.INFO.\(stream)") else { return nil }
      return text.firstMatch(of: /"leader": ?"([^"]+)"/).map { String($0.1) }
    }

    func delete(_ stream: String) { _ = request("$JS.API.STREAM.DELETE.\(stream)") }

    private func request(_ subject: String) -> String? {
      var reply: OpaquePointer?
      guard unsafe natsConnection_RequestString(&reply, connection, subject, "", 5000) == NATS_OK else { return nil }
      defer { unsafe natsMsg_Destroy(reply) }
      return unsafe natsMsg_GetData(reply).map { unsafe String(cString: $0) }
    }

    /// Waits until the server that it is connected to knows who takes this subject: some time after the stream was made.
    func waitForTaker(of subject: String) {
      let deadline = ContinuousClock.now + .seconds(10)
      while true {
        let status = unsafe js_Publish(nil, context, subject, nil, 0, nil, nil)
        if status != NATS_NO_RESPONDERS || ContinuousClock.now > deadline { return Self.check(status) }
      }
    }

    /// Sends one message, and waits until it is stored.
    func publish(_ bytes: [UInt8], on subject: String) {
      unsafe Self.check(
        bytes.withUnsafeBytes { unsafe js_Publish(nil, context, subject, $0.baseAddress, Int32($0.count), nil, nil) })
    }

    /// Sends so many messages, and waits until all are stored; as many at once as the window says.
    func publish(_ bytes: [UInt8], times: Int, on subject: String) {
      for _ in 0..<times {
        unsafe Self.check(
          bytes.withUnsafeBytes { unsafe js_PublishAsync(context, subject, $0.baseAddress, Int32($0.count), nil) })
      }
      unsafe Self.check(js_PublishAsyncComplete(context, nil))
    }

    /// Fetches so many messages, 256 at a time. Returns the sum of their bytes, so that each was read.
    func fetch(_ count: Int, from subject: String, stream: String) -> Int {
      var subscription: OpaquePointer?
      var configuration = unsafe jsSubOptions()
      unsafe Self.check(jsSubOptions_Init(&configuration))
      var sum = 0
      let status = unsafe stream.withCString { name in
        unsafe configuration.Stream = name
        unsafe configuration.Config.AckPolicy = js_AckNone
        return unsafe js_PullSubscribe(&subscription, context, subject, nil, nil, &configuration, nil)
      }
      Self.check(status)
      var left = count
      let deadline = ContinuousClock.now + .seconds(10)
      while left > 0 {
        var list = unsafe natsMsgList()
        let status = unsafe natsSubscription_Fetch(&list, subscription, Int32(min(left, 256)), 10_000, nil)
        // The server that it is connected to does not know of the new consumer yet.
        if status == NATS_NO_RESPONDERS, left == count, ContinuousClock.now < deadline { continue }
        Self.check(status)
        for place in 0..<Int(unsafe list.Count) {
          let message = unsafe list.Msgs[place]
          let size = Int(unsafe natsMsg_GetDataLength(message))
          let bytes = unsafe UnsafeRawBufferPointer(start: natsMsg_GetData(message), count: size)
          sum = unsafe bytes.reduce(sum) { $0 &+ Int($1) }
        }
        left -= Int(unsafe list.Count)
        unsafe natsMsgList_Destroy(&list)
      }
      unsafe natsSubscription_Destroy(subscription)
      return sum
    }
  }
#endif
