public import Logging

extension Storage {
  /// How a storage behaves. The defaults suit a log whose records must survive the process.
  public struct Configuration: Sendable {
    /// What has happened to a record when `append` returns. Default: `.buffered`.
    public var durability: Durability = .buffered

    /// How many descriptors the readers of a namespace share, each opened when first needed. Default: 5.
    ///
    /// This does not limit the number of streams: any number of them can read through one descriptor. More descriptors help
    /// streams that replay different parts of a log larger than memory, as the kernel reads ahead for each descriptor. At least
    /// 1.
    public var readerCount: Int = 5

    /// Whether each record is checked against its checksum before it is handed out. Default: true. Without it a damaged
    /// payload is delivered as if it were whole; `verify` checks in any case.
    public var verifiesChecksums: Bool = true

    /// Whether namespaces are appended to, or only read. Default: `.readWrite`.
    public var access: Access = .readWrite

    /// The access of single namespaces that differs from ``access``: a storage may append to some namespaces and follow others,
    /// which another process writes. Default: none.
    ///
    /// ```swift
    /// configuration.accessByNamespace = ["prices": .readOnly]
    /// ```
    ///
    /// ``Storage/log(_:creating:access:)`` sets it for one call.
    public var accessByNamespace: [String: Access] = [:]

    /// How payloads are stored: compressed, encrypted, or both. Default: as they are.
    ///
    /// The codec's name is recorded beside the log. Opening the log with another, or with none, is an error.
    ///
    /// ```swift
    /// configuration.codec = .deflate().then(.aes256GCM(keys))
    /// ```
    public var codec: Codec?

    /// Applied to each payload that is appended, for programs that set a codec's two sides separately; not together with `codec`,
    /// and not without `readTransform`. Its name is recorded beside the log. Default: none.
    public var writeTransform: (any Transformer)?

    /// Applied to each payload that is read: undoes what `writeTransform` did. It may stand alone for `.readOnly`
    /// access; the names of its chain, last first, are then compared with the recorded name. Default: none.
    public var readTransform: (any Transformer)?

    /// The most bytes that a payload may have after decoding. Reading a record with more throws, and so does appending a larger
    /// payload. Only where a codec is in use. Default: 1 GiB.
    ///
    /// It limits the memory that a few stored bytes can cost by claiming to decode to many. Between two transformers of a chain,
    /// an eighth and 64 KiB more are allowed. Reading in pieces takes bounded memory whatever the size; a payload that is touched
    /// in any other way is held whole.
    public var largestDecodedPayload: Int = 1 << 30

    /// Delivers payloads as they are stored, not decoded, whatever codec the log was written with. Default: false.
    ///
    /// For checking and copying logs without their keys, as checksums cover the stored bytes. Only for reading, and not together
    /// with a codec.
    public var deliversStoredPayloads: Bool = false

    /// Says that a log whose codec is not recorded anywhere was written without one, although its records look as if a codec had
    /// made them. Default: false, and opening such a log without a codec throws ``ImmutaError/codecUnknown(path:reason:)``.
    ///
    /// A log's companion and its meta file record the codec. This option is for logs that have lost both, or that another program
    /// wrote, and whose payloads happen to be compressed or encrypted files. Not together with a codec.
    public var takesPayloadsAsStored: Bool = false

    /// The layout of the log files. Default: nil, each log has the one it was made with, `.v1` or `.v2`, and new ones
    /// get `.v2`.
    ///
    /// `.v1` and `.v2` decide for new logs, and for the few files, such as an empty one, that could be either. A log that
    /// certainly has the other layout is refused. `.bilog` opens other files, those of LogStore: see ``LogFormat/bilog``.
    public var format: LogFormat?

    /// How payloads that come in chunks are received, before they are appended. Default: any size, however long it takes.
    public var uploads = Uploads()

    /// How long a caller waits for a turn to append before that is logged: who has the turn, since when, how many wait. It is
    /// logged again when the time has doubled, and so on. More than zero. Default: 10 seconds.
    public var longWait: Duration = .seconds(10)

    /// How long a flush takes before that is logged, as ``StorageEvent/slowFlush``. More than zero. Default: 1 second.
    public var slowFlush: Duration = .seconds(1)

    /// When logs begin their next segment. Default: never; each log stays one file.
    public var segments = SegmentLimits()

    /// What logs keep. Default: everything. Retention removes whole segments, so it needs limits in ``segments``, or calls of
    /// ``Log/roll()-1vms3``.
    public var retention = Retention()

    /// Whether the storage writes to files that another user put into the directory. Default: false, opening for appending throws
    /// ``ImmutaError/foreignOwner(path:owner:)`` for them.
    ///
    /// It matters in directories where several users may make files. Files of this user, of root and of the directory's owner are
    /// written to in any case. Set it where several users share a log.
    public var acceptsFilesOfOthers: Bool = false

    /// Gets messages that people should see, such as that a log was not closed and how it was recovered, or that a companion was
    /// made again. Each line has the name of its ``StorageEvent`` in its metadata. Default: none.
    public var logger: Logger?

    /// Makes the observer of each namespace when it is opened: it is told how long appends, flushes and deliveries take. Default:
    /// none, and then no clock is read for it.
    ///
    /// With one, an append reads a clock twice more, which takes about 50 ns, and does what the observer does. Records that are
    /// read cost nothing more, unless the reader waited for them.
    public var observer: (@Sendable (_ namespace: String) -> any LogObserver)?

    /// Called a few times a second while opening a log takes long, on the thread that opens it, with how far it has come.
    /// Default: nil. The logger gets the progress every five seconds in any case.
    ///
    /// Opening takes as long as reading the log if its companion is missing or damaged, for example because another program wrote
    /// the log, or because it was restored without the companion.
    public var openingProgress: (@Sendable (OpeningProgress) -> Void)?

    /// A configuration with the given durability and the defaults otherwise.
    public init(durability: Durability = .buffered) {
      self.durability = durability
    }

    /// What a namespace is opened for.
    func access(of namespace: String) -> Access { accessByNamespace[namespace] ?? access }

    /// Whether any namespace is opened for appending, as far as the configuration says.
    var appends: Bool { access == .readWrite || accessByNamespace.values.contains(.readWrite) }

    /// The same, for a namespace that is opened with this access.
    func with(_ access: Access) throws(ImmutaError) -> Configuration {
      if self.access == access, accessByNamespace.isEmpty { return self }
      var configuration = self
      configuration.access = access
      configuration.accessByNamespace = [:]
      try configuration.check()
      return configuration
    }

    /// Where the files of a namespace are.
    func files(of namespace: String, in directory: Directory) -> LogFiles {
      LogFiles(directory: directory, namespace: namespace, isPartition: format == .bilog)
    }

    /// Names of files in the directory: if one is missing, its logs must not be appended to.
    package var filesToKeep: [String] = []

    /// Whether a log is opened for appending without its keys, to remove records from its front: ``codec`` has the name of the
    /// codec that the log was written with, and transforms nothing. Nothing can be appended then.
    var isWithoutKeys = false

    /// For removing records from logs with a codec, without its keys.
    ///
    /// - Parameter codecName: the codec that the log was written with, as the log says.
    package static func withoutKeys(codecName: String) -> Configuration {
      var configuration = Configuration()
      if codecName.isEmpty { return configuration }
      let refusing = WholePayloadTransformer(name: codecName) { _, _ in
        throw ImmutaError.invalidConfiguration("the log was opened without its keys")
      }
      configuration.codec = Codec(name: codecName, writing: refusing, reading: refusing)
      configuration.isWithoutKeys = true
      return configuration
    }

    /// The codec chain's name, recorded beside the log; empty for none.
    var codecName: String {
      if let codec { return codec.name }
      if let writeTransform { return writeTransform.name }
      return readTransform.map { TransformerChain.joined($0.parts.reversed().map(\.name)) } ?? ""
    }

    var encoding: (any Transformer)? { codec?.writing ?? writeTransform }
    var decoding: (any Transformer)? { codec?.reading ?? readTransform }

    /// Throws `.readerCountIsZero` or `.invalidConfiguration`.
    func check() throws(ImmutaError) {
      try checkSegments()
      try checkWaiting()
      if readerCount == 0 { throw .readerCountIsZero }
      if readerCount < 0 { throw .invalidConfiguration("readerCount is \(readerCount); it must be at least 1") }
      if let interval = durability.interval, interval <= .zero {
        throw .invalidConfiguration("the durability's interval is \(interval); it must be more than zero")
      }
      if longWait <= .zero { throw .invalidConfiguration("longWait is \(longWait); it must be more than zero") }
      if slowFlush <= .zero { throw .invalidConfiguration("slowFlush is \(slowFlush); it must be more than zero") }
      try uploads.check()
      try checkTransforms()
    }

    private func checkSegments() throws(ImmutaError) {
      let numbers: [(String, Int?)] = [
        ("segments.maximumBytes", segments.maximumBytes), ("retention.maximumBytes", retention.maximumBytes),
        ("retention.maximumRecords", retention.maximumRecords),
        ("retention.hardMaximumBytes", retention.hardMaximumBytes),
      ]
      for case (let name, let number?) in numbers where number < 1 {
        throw .invalidConfiguration("\(name) is \(number); it must be at least 1, or nil for no limit")
      }
      let ages: [(String, Duration?)] = [
        ("segments.maximumAge", segments.maximumAge), ("retention.maximumAge", retention.maximumAge),
      ]
      for case (let name, let age?) in ages where age <= .zero {
        throw .invalidConfiguration("\(name) is \(age); it must be more than zero, or nil for no limit")
      }
    }

    private func checkWaiting() throws(ImmutaError) {
      for name in retention.waitingFor where !FileName.isValid(name) { throw .invalidConsumer(name) }
      guard let hard = retention.hardMaximumBytes else { return }
      if retention.waitingFor.isEmpty {
        throw .invalidConfiguration("retention.hardMaximumBytes is for logs that wait for consumers: set maximumBytes")
      }
      if let most = retention.maximumBytes, hard < most {
        throw .invalidConfiguration("retention.hardMaximumBytes is \(hard), less than maximumBytes: \(most)")
      }
    }

    private func checkTransforms() throws(ImmutaError) {
      if codec != nil, writeTransform != nil || readTransform != nil {
        throw .invalidConfiguration("codec stands for both transforms: set it, or writeTransform and readTransform")
      }
      if deliversStoredPayloads, appends {
        throw .invalidConfiguration("deliversStoredPayloads is for reading only: open with access .readOnly")
      }
      if deliversStoredPayloads || takesPayloadsAsStored, !codecName.isEmpty {
        throw .invalidConfiguration("payloads are taken as they are stored, or a codec decodes them: set one of them")
      }
      if writeTransform != nil, readTransform == nil {
        throw .invalidConfiguration("writeTransform is set without readTransform, which undoes it: set both")
      }
      if readTransform != nil, writeTransform == nil, appends {
        throw .invalidConfiguration(
          "readTransform is set without writeTransform, which appending needs: set both, or open for reading only")
      }
      if largestDecodedPayload < 0 {
        throw .invalidConfiguration("largestDecodedPayload is \(largestDecodedPayload); it must be at least 0")
      }
      let transformers = (encoding?.parts ?? []) + (decoding?.parts ?? [])
      if transformers.contains(where: \.name.isEmpty) || (codec?.name.isEmpty ?? false) {
        throw .invalidConfiguration("a transformer has no name: give it one, by which its logs are known")
      }
      let most = SlotName.longest
      if codecName.utf8.count > most {
        throw .invalidConfiguration("the codec's name has more than \(most) bytes; give it a shorter one")
      }
    }
  }

  /// What a storage is opened for.
  @nonexhaustive
  public enum Access: Hashable, Sendable {
    /// Appending and reading. One writer at a time, of all processes: others get `.locked`. Creates the directory (not
    /// its parents) and the namespaces that are missing.
    case readWrite
    /// Reading only, whether or not a writer has the namespace open; changes no file. Follows a writer in another
    /// process within a few milliseconds.
    case readOnly
  }
}
