#if JetStream
  /// What a follower asks the servers for.
  enum PullRequests {
    /// How long the servers keep a consumer without requests, in nanoseconds.
    private static let inactivity = 30_000_000_000
    /// How long a request for records holds, in nanoseconds.
    private static let requestTime = 30_000_000_000

    /// A consumer that delivers from a record on, keeps no place, and goes away when nobody asks any more.
    static func consumer(_ name: String, of log: StreamName, from sequence: Int) -> JSON {
      .object([
        "stream_name": .string(log.stream),
        "config": .object([
          "name": .string(name), "deliver_policy": "by_start_sequence", "opt_start_seq": .int(sequence + 1),
          "ack_policy": "none", "replay_policy": "instant", "max_waiting": 16, "num_replicas": 1, "mem_storage": true,
          "inactive_threshold": .int(inactivity),
        ]),
      ])
    }

    /// So many records, with a sign of life in between.
    static func records(_ count: Int, heartbeat: Duration) -> [UInt8] {
      let request = JSON.object([
        "batch": .int(count), "expires": .int(requestTime), "idle_heartbeat": .int(Int(heartbeat / .nanoseconds(1))),
      ])
      return Array(request.text.utf8)
    }
  }
#endif
