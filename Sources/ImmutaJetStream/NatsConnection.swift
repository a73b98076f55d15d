#if JetStream
  import CImmutaNats
  import Immuta
  import ImmutaLibC

  /// What is sent: to a subject, with a header, and with the subject that an answer is to go to.
  struct Outgoing: Sendable {
    let subject: String
    var headers: [(name: String, value: String)] = []
    var bytes: [UInt8] = []
    var replySubject: String?
  }

  /// A connection of the C library's: to one server at a time, and to another one when that is gone.
  ///
  /// Its calls may block, all of them but `close` no longer than the write deadline: they are for threads that run no tasks.
  ///
  /// `@unchecked Sendable`: the library locks for itself, and the pointer never changes. It is destroyed when nobody refers to it
  /// any more, and each subscription does.
  @safe final class NatsConnection: @unchecked Sendable {
    private let pointer: OpaquePointer
    private let number: UInt
    /// Whether messages wait for others, or for `flush`.
    let isBuffered: Bool

    /// Connects to one of the servers. Blocks until one answers, or none did in time.
    ///
    /// - Throws: `.invalidConfiguration` where trying again would not help, `.unavailable`.
    init(
      _ options: Cluster.Options, _ servers: [ServerAddress], _ target: any CallbackTarget, isBuffered: Bool = false
    ) throws(ImmutaError) {
      number = Callbacks.add(target)
      self.isBuffered = isBuffered
      do throws(ImmutaError) {
        unsafe pointer = try Self.connect(options, servers, number, isBuffered)
      } catch {
        Callbacks.remove(number)
        throw error
      }
      LiveObjects.count(.connection, 1)
    }

    deinit {
      Callbacks.remove(number)
      LiveObjects.count(.connection, -1)
      // It waits for the library's threads, and a task may release the last reference.
      let last = unsafe Handle(pointer: pointer)
      if (try? WorkThreads.shared.add { last.destroy() }) == nil { last.destroy() }
    }

    /// `@unchecked Sendable`: nobody else has the pointer any more.
    @safe private struct Handle: @unchecked Sendable {
      let pointer: OpaquePointer
      func destroy() { unsafe natsConnection_Destroy(pointer) }
    }

    private static func connect(
      _ options: Cluster.Options, _ servers: [ServerAddress], _ number: UInt, _ isBuffered: Bool
    ) throws(ImmutaError) -> OpaquePointer {
      let library = try NatsOptions(options, servers, number, isBuffered: isBuffered)
      var pointer: OpaquePointer?
      let status = unsafe natsConnection_Connect(&pointer, library.pointer)
      if status == NATS_OK, let pointer = unsafe pointer { return unsafe pointer }
      throw NatsFailure.connecting(status, to: servers, hasCertificate: options.tls?.certificateFile != nil)
    }

    /// Ends it: nothing is sent or received any more, and its end is not reported. Waits for the library's threads.
    func close() {
      Callbacks.remove(number)
      unsafe natsConnection_Close(pointer)
    }

    /// The most bytes that a message may have, its header included.
    var mostBytes: Int { Int(unsafe natsConnection_GetMaxPayload(pointer)) }

    var isUp: Bool { unsafe natsConnection_Status(pointer) == NATS_CONN_STATUS_CONNECTED }

    /// The library has given it up, or it was closed.
    var isEnded: Bool { unsafe natsConnection_Status(pointer) == NATS_CONN_STATUS_CLOSED }

    /// The server's URL; nil while there is none.
    var server: String? {
      var text = [CChar](repeating: 0, count: 1024)
      guard unsafe natsConnection_GetConnectedUrl(pointer, &text, text.count) == NATS_OK else { return nil }
      let url = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return url.isEmpty ? nil : url
    }

    /// The known servers: the ones that it was given, and the ones that these announced.
    var servers: [String] {
      var list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
      var count: Int32 = 0
      guard unsafe natsConnection_GetServers(pointer, &list, &count) == NATS_OK, let list = unsafe list else {
        return []
      }
      defer { unsafe free(list) }
      return (0..<Int(count)).compactMap { place in
        guard let text = unsafe list[place] else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
      }
    }

    /// Writes sent messages to the socket. Blocks until the server has read it, at most for two seconds: there is no call that
    /// writes and does not wait.
    func flush() {
      if isUp { _ = unsafe natsConnection_FlushTimeout(pointer, 2000) }
    }

    /// Sends a message: copies it, and writes it to the socket.
    func publish(_ outgoing: Outgoing) throws(NatsFailure) {
      var message: OpaquePointer?
      var status = unsafe outgoing.bytes.withUnsafeBytes { bytes in
        // It has no place for none.
        let start = unsafe bytes.baseAddress.map { unsafe $0.assumingMemoryBound(to: CChar.self) }
        return unsafe natsMsg_Create(&message, outgoing.subject, outgoing.replySubject, start, Int32(bytes.count))
      }
      guard status == NATS_OK, let message = unsafe message else { throw NatsFailure(status) }
      defer { unsafe natsMsg_Destroy(message) }
      for (name, value) in outgoing.headers {
        status = unsafe natsMsgHeader_Set(message, name, value)
        if status != NATS_OK { throw NatsFailure(status) }
      }
      status = unsafe natsConnection_PublishMsg(pointer, message)
      if status != NATS_OK { throw NatsFailure(status) }
    }

    /// Has what comes for a subject delivered.
    fileprivate func subscribe(_ subject: String, _ number: UInt) throws(NatsFailure) -> OpaquePointer {
      var subscription: OpaquePointer?
      let status = unsafe natsConnection_Subscribe(
        &subscription, pointer, subject,
        { _, _, message, closure in
          guard let message = unsafe message else { return }
          let received = unsafe NatsMessage(message)
          unsafe Callbacks.target(closure)?.received(received)
        }, Callbacks.closure(number))
      guard status == NATS_OK, let subscription = unsafe subscription else { throw NatsFailure(status) }
      // The number of messages is bounded by the requests.
      unsafe natsSubscription_SetPendingLimits(subscription, -1, -1)
      return unsafe subscription
    }
  }

  /// A subscription; ends with its last reference, or before.
  ///
  /// `@unchecked Sendable`: as its connection, which it keeps.
  @safe final class NatsSubscription: @unchecked Sendable {
    let subject: String
    private let connection: NatsConnection
    private let pointer: OpaquePointer
    private let number: UInt

    init(_ connection: NatsConnection, _ subject: String, _ target: any CallbackTarget) throws(NatsFailure) {
      self.connection = connection
      self.subject = subject
      number = Callbacks.add(target)
      do throws(NatsFailure) {
        unsafe pointer = try connection.subscribe(subject, number)
      } catch {
        Callbacks.remove(number)
        throw error
      }
      LiveObjects.count(.subscription, 1)
    }

    /// How many messages have come and were not given to the target yet; the one that it is given right now does not count.
    var pending: Int {
      var count: Int32 = 0
      return unsafe natsSubscription_GetPending(pointer, &count, nil) == NATS_OK ? Int(count) : 0
    }

    deinit {
      Callbacks.remove(number)
      LiveObjects.count(.subscription, -1)
      // Informs the server, which may block; the connection is released after that.
      let last = unsafe Handle(pointer: pointer, connection: connection)
      if (try? WorkThreads.shared.add { last.destroy() }) == nil { last.destroy() }
    }

    /// `@unchecked Sendable`: nobody else has the pointer any more.
    @safe private struct Handle: @unchecked Sendable {
      let pointer: OpaquePointer
      let connection: NatsConnection
      func destroy() {
        unsafe natsSubscription_Destroy(pointer)
        withExtendedLifetime(connection) {}
      }
    }
  }
#endif
