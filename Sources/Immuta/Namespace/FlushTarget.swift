/// The files of a segment, for flushing the log.
struct FlushTarget: Sendable {
  let files: FlushPair
  let names: NameCheck
  let keeper: CompanionKeeper
  /// The number of the segment's first record.
  let first: Int
  /// The folder with the names of new files, which must be on stable storage together with the first record.
  var newNames: Directory?
  /// Up to which record the segment was flushed.
  var flushed: Int

  /// Puts the segment's records before record `count` on stable storage.
  func flush(through count: Int) throws(ImmutaError) {
    let written = keeper.current.generation
    try files.flush()
    try noteFlushed(through: count, header: written)
  }

  /// The same, for a caller that has flushed the files.
  ///
  /// - Parameter written: the generation that the companion's header had before.
  func noteFlushed(through count: Int, header written: UInt64) throws(ImmutaError) {
    keeper.noteFlushed(written)
    if let newNames { try io(newNames.flush()) }
    // Stable records are lost if nobody can find their file again.
    try io(names.check())
    try keeper.markStable(count - first)
  }

  func letGo() {
    files.letGo()
    keeper.letGo()
  }
}

/// The segments that may have records which are not stable, in order: the one that is appended to, and the ones before it that
/// are not sealed yet.
struct FlushTargets {
  private(set) var all: [FlushTarget]

  init(_ newest: FlushTarget) { all = [newest] }

  var newest: FlushTarget { all[all.count - 1] }
  /// Everything before it is on stable storage.
  var oldest: FlushTarget { all[0] }

  mutating func add(_ target: FlushTarget) {
    precondition(target.first >= newest.first, "segments follow each other")
    all.append(target)
  }

  /// A segment is sealed, and so it is on stable storage. Does nothing if that is known.
  mutating func remove(_ first: Int) {
    precondition(first <= newest.first, "segments follow each other")
    if first < newest.first { all.removeAll { $0.first == first } }
  }

  /// Whether a segment may have records that are not stable.
  func has(_ first: Int) -> Bool { all.contains { $0.first == first } }

  /// Which segments have to be flushed, and up to which record, so that the first `count` records are stable.
  func due(for count: Int) -> [(target: FlushTarget, end: Int)] {
    all.indices.compactMap { place in
      let end = place + 1 < all.count ? min(count, all[place + 1].first) : count
      return end > all[place].flushed ? (all[place], end) : nil
    }
  }

  /// The same, and the newest segment in any case, as it has staged records.
  func dueWithStaged(for count: Int) -> [(target: FlushTarget, end: Int)] {
    let due = due(for: count)
    return due.last?.target.first == newest.first ? due : due + [(newest, max(count, newest.flushed))]
  }

  mutating func note(_ first: Int, flushed: Int) {
    for place in all.indices where all[place].first == first {
      all[place].flushed = max(all[place].flushed, flushed)
      all[place].newNames = nil
    }
  }
}
