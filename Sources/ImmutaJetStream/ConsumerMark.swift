#if JetStream
  import Immuta

  /// What is kept of a consumer: one message, which each change replaces.
  struct ConsumerMark: Hashable, Sendable {
    /// The log's.
    let identity: LogIdentity
    /// The number of the first record that was not acknowledged.
    var position: Int
    /// Identifies the process that has it: drawn at random when it is opened. Nil if nobody has it.
    var owner: String?
    /// The owner's process, on whatever machine.
    var process: Int?
    /// Since when, in nanoseconds since 1970, by the owner's clock.
    var since: Int?
    /// Tells two of the owner's changes apart.
    var change = 0

    init(identity: LogIdentity, position: Int, owner: String?, process: Int?, since: Int?) {
      self.identity = identity
      self.position = position
      self.owner = owner
      self.process = process
      self.since = since
    }

    var bytes: [UInt8] {
      let json = JSON.object([
        "identity": .string(identity.description), "position": .int(position),
        "owner": owner.map { .string($0) } ?? .null,
        "process": process.map { .int($0) } ?? .null, "since": since.map { .int($0) } ?? .null, "change": .int(change),
      ])
      return Array(json.text.utf8)
    }

    /// Nil where the bytes are something else.
    init?(_ bytes: some Sequence<UInt8>) {
      guard let json = JSON(bytes), let identity = json["identity"]?.string.flatMap({ LogIdentity($0) }),
        let position = json["position"]?.int, position >= 0
      else { return nil }
      self.init(
        identity: identity, position: position, owner: json["owner"]?.string, process: json["process"]?.int,
        since: json["since"]?.int)
      change = json["change"]?.int ?? 0
    }
  }
#endif
