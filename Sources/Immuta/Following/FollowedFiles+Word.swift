// The word of a log's files that each commit changes, which those who wait for the next one give to the kernel.

extension FollowedFiles {
  /// Where that word is for those who wait for record `number`: the low half of COUNT, which changes with each commit; where
  /// there is no COUNT, the last field of the record's entry, whose store is the commit, or begins it.
  static func word<File>(
    of number: Int, _ format: LogFormat, log: File, companion: File
  ) -> (file: File, offset: Int) {
    format.hasCount
      ? (log, 0) : (companion, CompanionEntry.offset(of: number) + CompanionEntry.lastFieldOffset)
  }

  /// The word that changes with the next commit; nil where a log without COUNT has no companion. That it has another by
  /// now is noticed when the files are looked for by their names.
  var word: (file: Descriptor, offset: Int)? {
    if format.hasCount { return Self.word(of: 0, format, log: log, companion: log) }
    guard let companion else { return nil }
    return Self.word(of: reader.count, format, log: log, companion: companion)
  }

  /// What a word holds now; nil where its page is not in the file, so that nobody can wait for it. Behind the file's end
  /// its last page holds zeros.
  static func value(of word: (file: Descriptor, offset: Int)) throws(ImmutaError) -> UInt32? {
    var bytes: InlineArray<4, UInt8> = .init(repeating: 0)
    return try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(ImmutaError) -> UInt32? in
      if try unsafe word.file.read(into: bytes, at: word.offset) < bytes.count,
        try word.file.size <= word.offset / SystemCalls.pageSize * SystemCalls.pageSize
      {
        return nil
      }
      return unsafe bytes.loadUnaligned(as: UInt32.self)
    }
  }
}
