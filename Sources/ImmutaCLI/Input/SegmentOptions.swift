import ArgumentParser
import Immuta

/// When a log begins its next segment: options of each subcommand that appends.
struct SegmentOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Begin the next file once one has so many bytes: 64k, 256M. By default a log stays one file.", valueName: "size"),
    transform: ByteCount.parse)
  var segmentBytes: ByteCount?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Begin the next file once the first record of one is so old: 1h, 30d.", valueName: "duration"),
    transform: TimeSpan.parse)
  var segmentAge: TimeSpan?

  func validate() throws {
    if let segmentBytes { try checkNumber("--segment-bytes", segmentBytes.bytes, isIn: 1...Int.max) }
    if let segmentAge { try checkIsNotZero("--segment-age", segmentAge) }
  }

  /// Whether anything was said.
  var isGiven: Bool { segmentBytes != nil || segmentAge != nil }

  func set(in configuration: inout Storage.Configuration) {
    configuration.segments = SegmentLimits(
      maximumBytes: segmentBytes?.bytes, maximumAge: segmentAge?.duration)
  }
}
