#if JetStream
  extension ClusterLog {
    /// How a log is made where the cluster has none of that name. It counts only then.
    public struct Creation: Hashable, Sendable {
      /// On how many servers each record is kept: 1, 3 or 5. With 3 the log goes on when one of them fails, with 5 when two do.
      public var replicas: Int
      /// The most bytes that the log may take on each server; nil for no limit. When it is full, nothing can be appended: no
      /// record is ever removed for another one.
      public var maximumBytes: Int?
      /// The most records that the log may have; nil for no limit. When it is full, nothing can be appended.
      public var maximumRecords: Int?

      /// A log on so many servers.
      public init(replicas: Int = 3, maximumBytes: Int? = nil, maximumRecords: Int? = nil) {
        self.replicas = replicas
        self.maximumBytes = maximumBytes
        self.maximumRecords = maximumRecords
      }
    }
  }
#endif
