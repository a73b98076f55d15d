import Locking
import Solid
import Synchronization

/// Keeps a log that is open for reading only up to date with its writer, which may be another process, or another
/// program.
///
/// It maps the log's header and looks at COUNT: whenever a reader asks, and, while streams wait, from a thread of its
/// own with a pause that grows from 50 microseconds to 4 milliseconds. Where the log has no COUNT, it looks at the
/// companion's entries, and at the end of the file where there are none: see Follower+Entries.swift.
final class Follower: Sendable {
  let log: Descriptor
  let companion: Descriptor?
  let format: LogFormat
  let check: RecordCheck
  /// Nil where the format has no header.
  private let header: MappedWindow?
  private let files: LogFiles
  let state: Lock<State>
  /// Set once, before the follower is shared.
  private let target = Lock<LogReader?>(nil)
  private let pause = ThreadGate()

  let entries: EntryTable
  /// Records found on opening, and where they end.
  let count: Int
  let end: Int
  /// What opening found out, for people.
  let note: String?
  /// Damage that opening passed over.
  let damage: Corruption?

  struct State {
    /// Entries of our own, where the companion does not fit the log.
    var list: EntryList?
    /// Where the last record of the list ends.
    var listEnd = 0
    var lastTime: Int64
    /// A COUNT that was found to be wrong.
    var disbelieved: Int?
    /// Streams that wait.
    var waiting = 0
    /// Those of them that wait for durable records.
    var waitingForStable = 0
    var isPolling = false
    var isClosed = false
  }

  private static let shortestPause: Int64 = 50_000
  private static let longestPause: Int64 = 4_000_000

  init(
    files: LogFiles, log: Descriptor, companion: Descriptor?, format: LogFormat, check: RecordCheck,
    checkCodec: (String?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    self.files = files
    self.log = log
    self.companion = companion
    self.format = format
    self.check = check
    // A writer that just made the file writes its header in a moment.
    for _ in 0..<100 where try log.size < min(1, format.headerSize) { ThreadGate().wait(nanoseconds: 1_000_000) }
    guard try log.size >= format.headerSize else {
      throw .corrupted(
        Corruption(
          path: log.path,
          reason: "not a log: \(try log.size) bytes are less than the header's \(format.headerSize)"))
    }
    header = format.hasCount ? try MappedWindow(log, 0..<format.headerSize, writable: false) : nil
    let told: Int?
    if let header { told = Self.loadCount(header) } else { told = try companion?.committedCount() }
    if let companion, let committed = told, let found = try Self.trusted(companion, log, committed, format, checkCodec)
    {
      (count, end, note, damage) = (committed, found.end, nil, nil)
      entries = .file(try DescriptorPool(like: companion, files.companion, of: files.directory, capacity: 1))
      state = Lock(State(list: nil, lastTime: found.time))
      return
    }
    var reconciliation = try Reconciliation(log: log, companion: companion, format: format)
    try checkCodec(reconciliation.codecName)
    let outcome: Reconciliation.Outcome
    do throws(ImmutaError) {
      outcome = try reconciliation.run()
    } catch .corrupted(let damage) {
      guard let companion, let remains = try reconciliation.remains(after: damage) else { throw .corrupted(damage) }
      (count, end, note) = (remains.count, remains.end, remains.note)
      self.damage = damage
      entries = .file(try DescriptorPool(like: companion, files.companion, of: files.directory, capacity: 1))
      state = Lock(State(list: nil, lastTime: remains.lastTime))
      return
    }
    damage = outcome.damage
    let list = EntryList()
    try reconciliation.entries(of: outcome) { (entry) throws(ImmutaError) in list.append(entry) }
    (count, end, note) = (outcome.count, outcome.end, outcome.note)
    entries = .memory(list)
    // A COUNT that goes beyond what is whole is not to be believed, until a writer changes it.
    state = Lock(
      State(
        list: list, listEnd: outcome.end, lastTime: outcome.lastTime,
        disbelieved: told.flatMap { $0 > outcome.count ? $0 : nil }))
  }

  /// Names the reader that is kept up to date.
  func follow(for reader: LogReader) {
    target.withLock { $0 = reader }
  }

  /// Acquiring: pairs with the writer's releasing store, so the records it counts, and their entries, are seen.
  private static func loadCount(_ header: MappedWindow) -> Int {
    // The address is the mapping's first, page-aligned, and lives as long as the window.
    let count = unsafe header.base.assumingMemoryBound(to: Atomic<Int>.self)
    return unsafe Int(littleEndian: count.pointee.load(ordering: .acquiring))
  }

  /// The end and time of the last of `count` records, if the companion knows that record.
  private static func trusted(
    _ companion: Descriptor, _ log: Descriptor, _ count: Int, _ format: LogFormat,
    _ checkCodec: (String?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> (end: Int, time: Int64)? {
    guard let header = try companion.companionHeader(), header.format == format else { return nil }
    try checkCodec(header.codecName)
    if count < header.stableCount || (header.isClean && count != header.stableCount) { return nil }
    let end: Int
    var (lastIndex, time) = (0, Int64(0))
    if count == 0 {
      end = format.headerSize
    } else {
      guard let entry = try companion.companionEntry(count - 1), entry.index >= format.leastIndex(of: count - 1),
        let found = try log.recordEnd(at: entry.index, format)
      else { return nil }
      (end, lastIndex, time) = (found, entry.index, entry.time)
    }
    // A log that was closed is also held to the rest of its header, or to its size; a writer at work changes them under
    // our eyes.
    if header.isClean {
      if let found = try log.logHeader(format) {
        if found.denies(lastIndex: lastIndex) { return nil }
      } else if try log.size != end {
        return nil
      }
    }
    return (end, time)
  }

  /// Its generation is the number of records that the companion says are on stable storage.
  let stable = Broadcaster()

  /// The companion that has the name now: a writer that made it anew put another file in its place.
  private let named = Lock<(companion: Descriptor, identity: FileIdentity)?>(nil)

  /// Takes note of what was flushed since.
  func refreshStable() throws(ImmutaError) {
    guard let reader = target.withLock({ $0 }), let header = try namedCompanion()?.companionHeader() else { return }
    stable.advance(to: min(header.stableCount, reader.count))
  }

  private func namedCompanion() throws(ImmutaError) -> Descriptor? {
    try named.withLock { (named) throws(ImmutaError) -> Descriptor? in
      guard let status = try files.directory.status(of: files.companion) else { return nil }
      if let named, named.identity == status.identity { return named.companion }
      guard let companion = try companionNow() else { return nil }
      named = (companion, try companion.status().identity)
      return companion
    }
  }

  // MARK: Keeping up

  /// Takes note of what was committed since. Costs one load when nothing was.
  func refresh() throws(ImmutaError) {
    // A header that is damaged tells nothing.
    if damage != nil { return }
    guard let reader = target.withLock({ $0 }) else { return }
    guard let header else { return try refreshByEntries(reader) }
    let committed = Self.loadCount(header)
    guard committed > reader.committed.generation, !reader.committed.isClosed else { return }
    let end = try state.withLock { (state) throws(ImmutaError) -> Int? in
      guard committed > reader.count, committed != state.disbelieved else { return nil }
      state.disbelieved = nil
      if state.list == nil, let entry = try companion?.companionEntry(committed - 1) {
        guard let end = try log.recordEnd(at: entry.index, format) else {
          throw check.corrupted(committed - 1, entry.index, "its size field does not fit the file")
        }
        return end
      }
      return try readOn(&state, reader, through: committed)
    }
    guard let end else { return }
    reader.raiseEnd(to: end)
    // Not under the lock: whoever is woken may call back at once.
    reader.committed.advance(to: committed)
  }

  /// Follows a writer whose entries are not in the companion that was opened, or that keeps none: takes the entries
  /// that are there by now, and makes those that are not. Returns where the last record ends; nil when the log, as it
  /// is, does not bear COUNT out.
  private func readOn(
    _ state: inout State, _ reader: LogReader, through committed: Int
  ) throws(ImmutaError) -> Int? {
    let list: EntryList
    if let own = state.list { list = own } else { list = try listOfEntries(reader) }
    var index = state.list == nil ? reader.end : state.listEnd
    // A writer that made the companion anew put another file in its place.
    let companion = try companionNow()
    let status = try log.status()
    var bytes = LogScanner(log, format, end: status.size)
    var new: [CompanionEntry] = []
    var lastIndex = 0
    var time = state.lastTime
    var hasMade = false
    for number in list.count..<max(list.count, committed) {
      guard let size = try bytes.size(at: index) else { return nil }
      if let entry = try companion?.companionEntry(number) {
        guard entry.index == index else { return nil }
        new.append(entry)
        time = entry.time
      } else {
        guard let checksum = try bytes.checksum(at: index, size: size) else { return nil }
        time = max(time, status.modified)
        new.append(CompanionEntry(index: index, time: time, recordChecksum: checksum, isMade: true))
        hasMade = true
      }
      lastIndex = index
      index += format.recordHeaderSize + size
    }
    // Space that is reserved reads as records of no bytes: LAST INDEX tells whether these were written.
    if hasMade, try log.logHeader(format) != LogHeader(format, count: committed, lastIndex: lastIndex) { return nil }
    take(new, into: list, &state, reader)
    (state.listEnd, state.lastTime) = (index, time)
    return index
  }

  /// Adds entries to those in memory, which readers use from now on if they did not before.
  func take(_ new: [CompanionEntry], into list: EntryList, _ state: inout State, _ reader: LogReader) {
    for entry in new { list.append(entry) }
    if state.list == nil {
      state.list = list
      reader.replaceEntries(.memory(list))
    }
  }

  /// The entries of the records that are known, copied from the companion.
  func listOfEntries(_ reader: LogReader) throws(ImmutaError) -> EntryList {
    let list = EntryList()
    guard let companion else { return list }
    var scanner = try CompanionScanner(companion)
    for number in 0..<reader.count { list.append(try scanner.entry(number)) }
    return list
  }

  func companionNow() throws(ImmutaError) -> Descriptor? {
    try files.directory.openIfPresent(files.companion, .read)
  }

  // MARK: While streams wait

  /// A stream is about to wait. Paired with `endWait`.
  func beginWait(_ visibility: StreamVisibility) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      if !state.isPolling, !state.isClosed {
        try Thread.start { self.poll() }
        state.isPolling = true
      }
      state.waiting += 1
      if visibility == .durable { state.waitingForStable += 1 }
    }
  }

  func endWait(_ visibility: StreamVisibility) {
    state.withLock { state in
      state.waiting -= 1
      if visibility == .durable { state.waitingForStable -= 1 }
    }
  }

  private func poll() {
    var nanoseconds = Self.shortestPause
    while true {
      // Decided under the lock that `beginWait` takes: either it finds the thread polling on, or starts another.
      let (isDone, isForStable) = state.withLock { state in
        if state.waiting > 0, !state.isClosed { return (false, state.waitingForStable > 0) }
        state.isPolling = false
        return (true, false)
      }
      if isDone { return }
      let before = progress
      // A glance at a file that is being written may fail; the next one tells more. Reading finds out what stays wrong.
      try? refresh()
      if isForStable { try? refreshStable() }
      nanoseconds = before != progress ? Self.shortestPause : min(nanoseconds * 5 / 4, Self.longestPause)
      pause.wait(nanoseconds: nanoseconds)
    }
  }

  private var progress: [Int?] { [target.withLock { $0?.count }, stable.generation] }

  func close() {
    state.withLock { $0.isClosed = true }
    stable.close()
    pause.open()
    target.withLock { $0 = nil }
  }
}
