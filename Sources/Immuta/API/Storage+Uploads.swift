extension Storage {
  /// How payloads that come in chunks are received.
  ///
  /// A payload is received beside the log, and holds up nobody while it comes: a megabyte of it in memory, and the rest
  /// in a file without a name in the storage's directory, readable by nobody else and gone with the process. Then it is
  /// copied into the log at once. So the disk needs room for it twice meanwhile. Where the storage has a codec, the file
  /// holds the payload masked by a key that is in memory only.
  public struct Uploads: Hashable, Sendable {
    /// Bytes that a payload may have; more of them throw `.uploadTooLarge`. Default: nil, any number.
    public var maximumBytes: Int?

    /// How long the source may give nothing; longer throws `.uploadStalled`. Default: nil, for ever.
    ///
    /// The source is then asked in a child task, which is cancelled when the time is over; a source that does not notice
    /// cancellation is waited for all the same.
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
