extension Storage {
  /// How payloads that come in chunks are received.
  ///
  /// A payload is received beside the log, and holds up nobody while it comes. The first megabyte stays in memory; the rest goes
  /// to a file without a name in the storage's directory, which nobody else can read and which ends with the process. Then the
  /// payload is copied into the log at once, so the disk needs room for it twice meanwhile. Where the storage has a codec, the
  /// file holds the payload masked by a key that is in memory only.
  public struct Uploads: Hashable, Sendable {
    /// The most bytes that a payload may have; a larger one throws `.uploadTooLarge`. Default: nil, any number.
    public var maximumBytes: Int?

    /// How long the source may give nothing; a longer pause throws `.uploadStalled`. Default: nil, for ever.
    ///
    /// With a limit, the source is asked in a child task, which is cancelled when the time is over. If the source does not notice
    /// cancellation, the append waits for it all the same.
    public var idleTimeout: Duration?

    /// Limits; nil for none.
    public init(maximumBytes: Int? = nil, idleTimeout: Duration? = nil) {
      self.maximumBytes = maximumBytes
      self.idleTimeout = idleTimeout
    }

    func check() throws(ImmutaError) {
      if let maximumBytes, maximumBytes < 0 {
        throw .invalidConfiguration("uploads.maximumBytes is \(maximumBytes); it must be at least 0")
      }
      if let idleTimeout, idleTimeout <= .zero {
        throw .invalidConfiguration("uploads.idleTimeout is \(idleTimeout); it must be more than zero")
      }
    }
  }
}
