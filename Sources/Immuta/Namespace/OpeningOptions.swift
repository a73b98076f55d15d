import Logging

/// The part of a storage's configuration that opening a log uses.
struct OpeningOptions {
  /// Whether nothing is appended.
  var isForReading: Bool
  /// Nil if the format is found in the files.
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
  /// The log's own.
  var observer: (any LogObserver)?
  var slowFlush: Duration
  /// Makes the progress reporter for long work on a log; it returns nil if nobody wants to know.
  var progress: @Sendable (_ files: LogFiles, _ size: Int, _ passCount: Int) -> ScanProgress?
}
