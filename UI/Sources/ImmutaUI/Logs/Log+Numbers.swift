import Immuta

extension Log {
  /// The numbers of the records that exist at this moment.
  var numbers: Range<Int> {
    // A history looks at the log again; `count` alone is that of the last look.
    let end = history(from: .latest).end
    return min(firstSequence, end)..<end
  }
}
