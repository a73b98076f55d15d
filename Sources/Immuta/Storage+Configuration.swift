public import Logging

extension Storage {
  /// How a storage behaves. The defaults suit a log whose records must survive the process.
  public struct Configuration: Sendable {
    /// What has happened to a record when `append` returns. Default: `.buffered`.
    public var durability: Durability = .buffered

    /// How many descriptors the readers of a namespace share, each opened when first needed. Default: 5.
    ///
    /// This bounds no number of streams: any number of them read through one descriptor. More of them help streams that
    /// replay different parts of a log larger than memory, as each has a read-ahead of its own. At least 1.
    public var readerCount: Int = 5

    /// Whether each record is checked against its checksum before it is handed out. Default: true. Without it a damaged
    /// payload is delivered as if it were whole; `verify` checks in any case.
    public var verifiesChecksums: Bool = true

    /// Whether namespaces are appended to, or only read. Default: `.readWrite`.
    public var access: Access = .readWrite

    /// Gets what people should know: a log that was not closed and what became of it, a companion that was made anew.
    /// Default: none.
    public var logger: Logger?

    /// A configuration with the given durability and the defaults otherwise.
    public init(durability: Durability = .buffered) {
      self.durability = durability
    }

    /// The codec chain's name, recorded beside the log.
    var codecName: String { "" }

    /// Throws `.readerCountIsZero` or `.invalidConfiguration`.
    func check() throws(ImmutaError) {
      if readerCount == 0 { throw .readerCountIsZero }
      if readerCount < 0 { throw .invalidConfiguration("readerCount is \(readerCount); it must be at least 1") }
      if let interval = durability.interval, interval <= .zero {
        throw .invalidConfiguration("the durability's interval is \(interval); it must be more than zero")
      }
    }
  }

  /// What a storage is opened for.
  public enum Access: Hashable, Sendable {
    /// Appending and reading. One writer at a time, of all processes: others get `.locked`. Creates the directory (not
    /// its parents) and the namespaces that are missing.
    case readWrite
    /// Reading only, whether or not a writer has the namespace open; changes no file. Follows a writer in another
    /// process within a few milliseconds.
    case readOnly
  }
}
