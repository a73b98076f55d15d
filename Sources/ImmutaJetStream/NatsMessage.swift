#if JetStream
  import CImmutaNats
  import Immuta
  import ImmutaLibC
  import ImmutaLocking

  /// A message that came, destroyed with its last reference.
  ///
  /// `@unchecked Sendable`: its bytes never change. Its header does change, as the library parses it at the first look: so each look is
  /// under a lock.
  @safe final class NatsMessage: @unchecked Sendable {
    private let pointer: OpaquePointer
    private let header = Lock(())

    init(_ pointer: OpaquePointer) {
      unsafe self.pointer = pointer
      LiveObjects.count(.message, 1)
    }

    deinit {
      unsafe natsMsg_Destroy(pointer)
      LiveObjects.count(.message, -1)
    }

    /// The bytes, which stay where they are while this lives.
    var payload: Payload {
      let count = Int(unsafe natsMsg_GetDataLength(pointer))
      return unsafe Payload(UnsafeRawBufferPointer(start: natsMsg_GetData(pointer), count: count), owner: self)
    }

    var size: Int { Int(unsafe natsMsg_GetDataLength(pointer)) }
    var subject: String { unsafe natsMsg_GetSubject(pointer).map { unsafe String(cString: $0) } ?? "" }
    /// By which a record was appended. The first look at a header takes longer than all else that a record needs.
    var id: String? { header(HeaderName.id) }

    /// Where it lies in its stream; nil for what this consumer does not deliver.
    func place(from consumer: String) -> DeliveryPlace? {
      guard let reply = unsafe natsMsg_GetReply(pointer) else { return nil }
      let bytes = unsafe UnsafeRawBufferPointer(start: reply, count: strlen(reply))
      return unsafe DeliveryPlace(bytes, from: consumer)
    }

    fileprivate func header(_ name: String) -> String? {
      header.withLock { _ in
        var value: UnsafePointer<CChar>?
        guard unsafe natsMsgHeader_Get(pointer, name, &value) == NATS_OK, let value = unsafe value else { return nil }
        return unsafe String(cString: value)
      }
    }
  }

  /// An answer, with what its header says.
  struct Reply: Sendable {
    let message: NatsMessage
    /// Of a message that has nothing but a status, such as 503: nobody answers. 0 for others.
    let status: Int
    /// What the status says in words.
    let reason: String
    /// How many messages a request that has run out did not get.
    let pending: Int?
    /// By which the record was appended.
    let id: String?
    /// The record's place in the stream, from 1 on, and its time, where a server answered with one by itself.
    let sequence: Int?
    let time: String?

    init(_ message: NatsMessage) {
      self.message = message
      let status = message.size == 0 ? message.header("Status") : nil
      self.status = status.flatMap { Int($0) } ?? 0
      reason = status == nil ? "" : message.header("Description") ?? ""
      pending = status == nil ? nil : message.header(HeaderName.pending).flatMap { Int($0) }
      id = message.header(HeaderName.id)
      sequence = message.header(HeaderName.sequence).flatMap { Int($0) }
      time = sequence == nil ? nil : message.header(HeaderName.time)
    }

    var json: JSON? { JSON(message.payload) }
  }

  /// Names of headers.
  enum HeaderName {
    static let id = "Nats-Msg-Id"
    static let expected = "Nats-Expected-Last-Sequence"
    static let expectedOfSubject = "Nats-Expected-Last-Subject-Sequence"
    static let batch = "Nats-Batch-Id"
    static let batchSequence = "Nats-Batch-Sequence"
    static let batchCommit = "Nats-Batch-Commit"
    static let sequence = "Nats-Sequence"
    static let pending = "Nats-Pending-Messages"
    static let time = "Nats-Time-Stamp"
  }
#endif
