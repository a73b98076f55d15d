#if JetStream
  import Immuta

  /// What a namespace is called on the cluster.
  ///
  /// A stream's name may have no dot, and a part of a subject neither a dot nor a wildcard; namespaces may have dots. So each dot
  /// becomes an equals sign, which no namespace has, and so no two namespaces become the same. The log `orders.eu` is the stream
  /// `orders=eu`. What its consumers keep is in the stream `orders=eu+consumers`, which no namespace becomes.
  struct StreamName: Hashable, Sendable {
    let namespace: String
    /// The stream's name.
    let stream: String

    /// What all subjects begin with.
    static let prefix = "immuta"

    /// Nil where it cannot be a namespace.
    init?(_ namespace: String) {
      guard Storage.isValidNamespace(namespace) else { return nil }
      self.namespace = namespace
      stream = Self.escaped(namespace)
    }

    /// What the subject of the log's records begins with.
    var subject: String { "\(Self.prefix).\(stream)" }
    /// The stream with the positions of the log's consumers.
    var positions: String { stream + "+consumers" }
    /// The subject of one consumer's position.
    func position(of consumer: String) -> String { "\(Self.prefix).\(positions).\(Self.escaped(consumer))" }
    /// The subjects of all of them.
    var allPositions: String { "\(Self.prefix).\(positions).*" }

    private static func escaped(_ name: String) -> String { String(name.map { $0 == "." ? "=" : $0 }) }
  }
#endif
