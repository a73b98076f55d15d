/// How many bytes each stage of a run may make of a record.
///
/// Stages work in pieces, so it is not memory that this bounds but work: a few stored bytes that one stage turns into
/// terabytes must not keep the next one busy for hours, though nothing of it may ever come out.
struct TransformLimits {
  /// For the stage whose output leaves the run.
  let last: Int
  /// For those before it.
  let between: Int

  static let none = TransformLimits(last: .max, between: .max)

  /// For reading payloads of at most `limit` bytes.
  init(decoding limit: Int) {
    self.init(last: limit, between: Self.between(limit))
  }

  /// For writing them: what is stored is not limited, and what reading would not let pass in between is not written.
  init(encoding limit: Int) {
    self.init(last: .max, between: Self.between(limit))
  }

  private init(last: Int, between: Int) {
    self.last = last
    self.between = between
  }

  /// A compressor enlarges what cannot be compressed, an encryptor adds its tags: an eighth more than the payload, and
  /// 64 KiB, are room for many of them.
  private static func between(_ limit: Int) -> Int {
    let (sum, overflow) = limit.addingReportingOverflow(limit / 8 + 64 << 10)
    return overflow ? .max : sum
  }

  /// What the errors of limits end with.
  static let reason = "the most that largestDecodedPayload allows"
}

extension Corruption {
  /// Whether a record could not be decoded because it comes to more bytes than are allowed.
  package var isOverLimit: Bool { Self.tellsOfLimit(reason.description) }

  /// Whether a codec's failure is that there are more bytes than are allowed.
  package static func tellsOfLimit(_ reason: String) -> Bool { reason.hasSuffix(TransformLimits.reason) }
}
