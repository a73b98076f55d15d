import Logging

/// What opening a log goes by, of what a storage was configured with.
struct OpeningOptions {
  /// Whether nothing is appended.
  var isForReading: Bool
  /// Nil where the files tell their format.
  var format: LogFormat?
  var durability: Durability
  var readerCount: Int
  var verifiesChecksums: Bool
  /// The codec's name; empty for none.
  var codecName: String
  var largestDecodedPayload: Int
  var deliversStoredPayloads: Bool
  var takesPayloadsAsStored: Bool
  var acceptsFilesOfOthers: Bool
  /// Files of the directory that belong to the storage, and whose names must stay.
  var filesToKeep: [String]
  var longWait: Duration
  var segments: SegmentLimits
  var retention: Retention
  var logger: Logger?
  /// What gets to know how far work on a log has come that takes long; nil where nobody wants to know.
  var progress: @Sendable (_ files: LogFiles, _ size: Int, _ passCount: Int) -> ScanProgress?
}
