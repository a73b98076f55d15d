#if JetStream
  import Immuta

  /// What a cluster says of a stream.
  struct StreamDescription: Sendable {
    let config: JSON
    /// The log's identity; nil where it was not made as a log.
    let identity: LogIdentity?
    let namespace: String?
    /// What payloads are stored as; empty for as they are.
    let codec: String
    /// The number of the first existing record; if there is none, that of the next one.
    let first: Int
    /// How many records were ever appended.
    let count: Int
    /// How many are missing between the first and the last.
    let missing: Int
    let replicas: Int
    let isAtomic: Bool
    /// Whether it takes runs of messages that end with the first one that is not stored: servers from 2.14 on do.
    let isBatched: Bool
    /// The leader's clock when it answered.
    let now: Timestamp?
    /// Whether the server that answered has heard of most of the others lately. A server that was cut off from them, or stood
    /// still, answers as the leader for some seconds more, while another one leads. Once it is with them again it may hear from
    /// them before it knows of the new leader: so this excludes most such answers, but not all.
    let isOfLeader: Bool

    /// What a stream's own data is called.
    enum Key {
      static let identity = "immuta.identity"
      static let namespace = "immuta.namespace"
      static let codec = "immuta.codec"
    }

    /// From what `STREAM.INFO` and `STREAM.CREATE` answer; nil where it is something else.
    init?(_ json: JSON) {
      guard let config = json["config"], let state = json["state"], let last = state["last_seq"]?.int,
        let first = state["first_seq"]?.int
      else { return nil }
      self.config = config
      identity = config["metadata"]?[Key.identity]?.string.flatMap { LogIdentity($0) }
      namespace = config["metadata"]?[Key.namespace]?.string
      codec = config["metadata"]?[Key.codec]?.string ?? ""
      count = last
      self.first = min(max(first, 1) - 1, last)
      missing = state["num_deleted"]?.int ?? 0
      replicas = config["num_replicas"]?.int ?? 1
      isAtomic = config["allow_atomic"]?.bool ?? false
      isBatched = config["allow_batched"]?.bool ?? false
      now = json["ts"]?.string.flatMap { RecordTime.parse($0) }
      let heardOf = json["cluster"]?["replicas"]?.array?.count { Self.isHeardOf($0) } ?? 0
      isOfLeader = replicas == 1 || (heardOf + 1) * 2 > replicas
    }

    /// How long ago the leader may have heard of another server, in nanoseconds: more than the second between two signs of life.
    private static let longestSilence = 3_000_000_000

    private static func isHeardOf(_ replica: JSON) -> Bool {
      // 0: never.
      guard let silence = replica["active"]?.int, silence > 0 else { return false }
      return silence < longestSilence && replica["offline"]?.bool != true
    }

    /// The subject of a log's records. It has the log's identity: a handle of a log that was deleted cannot append to another one
    /// that has its name now.
    static func subject(_ name: StreamName, _ identity: LogIdentity) -> String { "\(name.subject).\(identity)" }

    /// How a stream that keeps a log must be configured.
    ///
    /// - Parameter isBatched: as ``isBatched``.
    static func config(
      _ name: StreamName, _ identity: LogIdentity, codec: String, _ creation: ClusterLog.Creation, isBatched: Bool
    ) -> JSON {
      let config = JSON.object([
        "name": .string(name.stream), "subjects": .array([.string(subject(name, identity))]),
        "description": .string("the log “\(name.namespace)”"),
        "retention": "limits", "storage": "file", "discard": "new", "num_replicas": .int(creation.replicas),
        "max_consumers": -1, "max_msgs": .int(creation.maximumRecords ?? -1),
        "max_bytes": .int(creation.maximumBytes ?? -1),
        "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1,
        "duplicate_window": .int(duplicateWindow),
        "deny_delete": true, "deny_purge": true, "allow_direct": true, "allow_atomic": true,
        "metadata": .object([
          Key.identity: .string(identity.description), Key.namespace: .string(name.namespace),
          Key.codec: .string(codec),
        ]),
      ])
      guard isBatched, case .object(let members) = config else { return config }
      return .object(members + [JSON.Member(name: "allow_batched", value: true)])
    }

    /// How long the servers remember the ids of records, in nanoseconds. Each record also says which number it is to get, and so
    /// is stored once however late it is sent again; the ids need to be remembered only while a new leader takes over. Each takes some memory
    /// on each server.
    private static let duplicateWindow = 30_000_000_000

    /// The settings that are wrong for a log; empty if all are right.
    func faults(_ name: StreamName, _ identity: LogIdentity) -> [String] {
      var faults: [String] = []
      func demand(_ member: String, _ value: JSON, else fault: String) {
        if config[member] ?? absent(value) != value {
          faults.append("\(member) is \((config[member] ?? .null).text): \(fault)")
        }
      }
      demand(
        "subjects", .array([.string(StreamDescription.subject(name, identity))]), else: "others can append, or nobody")
      demand("retention", "limits", else: "records are removed once they are read")
      demand("storage", "file", else: "records are kept in memory alone")
      demand("discard", "new", else: "a full log removes its oldest records")
      demand("deny_delete", true, else: "records can be deleted")
      demand("deny_purge", true, else: "records can be purged")
      demand("allow_direct", true, else: "one record cannot be read from any server")
      demand("max_age", 0, else: "old records are removed")
      demand("max_msgs_per_subject", -1, else: "old records are removed")
      demand("allow_rollup_hdrs", false, else: "an append can remove what was before it")
      demand("allow_msg_ttl", false, else: "records can be appended that go away")
      demand("sealed", false, else: "nothing can be appended")
      demand("mirror", .null, else: "it is a copy of another stream")
      demand("sources", .null, else: "it takes messages from other streams")
      demand("subject_transform", .null, else: "its records change their subject")
      if let mode = config["persist_mode"]?.string, mode != "default", mode != "" {
        faults.append("persist_mode is \(mode): an append is acknowledged before it is stored")
      }
      if missing > 0 { faults.append("\(missing) records are missing between the first and the last") }
      return faults
    }

    /// What a member is that the servers leave out.
    private func absent(_ value: JSON) -> JSON {
      switch value {
      case .bool: false
      case .int: 0
      default: .null
      }
    }
  }
#endif
