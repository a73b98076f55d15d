// The word that waiters for the next commit give to the kernel: see CommitWord.

extension FollowedFiles {
  /// The word that changes with the next commit; nil where a log without COUNT has no companion. That it has another by
  /// now is noticed when the files are looked for by their names.
  var word: (file: Descriptor, offset: Int)? {
    if format.hasCount { return CommitWord.place(of: 0, format, log: log, companion: log) }
    guard let companion else { return nil }
    return CommitWord.place(of: ownCount, format, log: log, companion: companion)
  }

  /// What a word holds now; nil where its page is not in the file, so that nobody can wait for it. After the file's
  /// end its last page holds zeros.
  static func value(of word: (file: Descriptor, offset: Int)) throws(ImmutaError) -> UInt32? {
    var bytes: InlineArray<4, UInt8> = .init(repeating: 0)
    return try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(ImmutaError) -> UInt32? in
      if try unsafe io(word.file.read(into: bytes, at: word.offset) < bytes.count),
        try io(word.file.size <= word.offset / SystemCalls.pageSize * SystemCalls.pageSize)
      {
        return nil
      }
      return unsafe bytes.loadUnaligned(as: UInt32.self)
    }
  }
}
