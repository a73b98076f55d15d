/// The word of a log's files that each commit changes: waiters for the next commit give it to the kernel.
enum CommitWord {
  /// Where that word is for waiters for record `number`: the low half of COUNT, which changes with each commit; where there is no
  /// COUNT, the last field of the record's entry, whose store is the commit, or begins it.
  static func place<File>(
    of number: Int, _ format: LogFormat, log: File, companion: File
  ) -> (file: File, offset: Int) {
    format.hasCount
      ? (log, 0) : (companion, CompanionEntry.offset(of: number) + CompanionEntry.lastFieldOffset)
  }
}
