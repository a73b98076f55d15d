/// How many bytes each stage of a run may make of a record.
///
/// Stages work in pieces, so it is not memory that this bounds but work: a few stored bytes that one stage turns into
/// terabytes must not keep the next one busy for hours, though nothing of it may ever come out.
struct TransformLimits {
  /// For the stage whose output leaves the run.
  let last: Int
  /// The limit for the stages before the last.
  let between: Int

  static let none = TransformLimits(last: .max, between: .max)

  /// For reading payloads of at most `limit` bytes.
  init(decoding limit: Int) {
    self.init(last: limit, between: Self.between(limit))
  }

  /// For writing: the stored size is not limited, but sizes in between that reading would refuse are not written.
  init(encoding limit: Int) {
    self.init(last: .max, between: Self.between(limit))
  }

  private init(last: Int, between: Int) {
    self.last = last
    self.between = between
  }

  /// A compressor enlarges bytes that cannot be compressed, an encryptor adds its tags: an eighth more than the payload, and 64
  /// KiB, are room for many of them.
  private static func between(_ limit: Int) -> Int {
    let (sum, overflow) = limit.addingReportingOverflow(limit / 8 + 64 << 10)
    return overflow ? .max : sum
  }

  /// What the errors of limits end with.
  static let reason = "the most that largestDecodedPayload allows"
}

extension TransformError {
  /// That a payload comes to more bytes than are allowed.
  static func overLimit(_ limit: Int, _ place: String) -> TransformError {
    var error = TransformError("it comes to more than \(limit) bytes\(place), \(TransformLimits.reason)")
    error.isOverLimit = true
    return error
  }
}

extension ImmutaError {
  /// Whether a payload could not be encoded because it has, or comes to, more bytes than are allowed.
  package var isOverLimit: Bool {
    guard case .untransformable(let reason, _) = self else { return false }
    return reason.hasSuffix(TransformLimits.reason)
  }
}
