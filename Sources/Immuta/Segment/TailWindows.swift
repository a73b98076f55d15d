/// The writer's windows over the tails of the log and of its companion, for readers that are close to it: a record
/// there is a view of the very memory it was appended through.
final class TailWindows: Sendable {
  let log: MappedWindow
  let companion: MappedWindow

  init(log: MappedWindow, companion: MappedWindow) {
    self.log = log
    self.companion = companion
  }

  /// Record `number`, which is committed, checked; nil when it is not whole in the windows.
  func record(_ number: Int, committedEnd: Int, _ check: RecordCheck) throws(ImmutaError) -> Record? {
    if number < check.first { return nil }
    let entryOffset = CompanionEntry.offset(of: number - check.first)
    let entryRange = entryOffset..<entryOffset + CompanionEntry.size
    guard companion.contains(entryRange) else { return nil }
    let entry = try unsafe check.entry(number, UnsafeRawBufferPointer(companion.bytes(entryRange)))
    guard log.contains(entry.index..<entry.index + check.recordHeaderSize) else { return nil }
    let rest = unsafe UnsafeRawBufferPointer(log.bytes(entry.index..<log.end))
    let size = try unsafe check.size(number, entry, in: rest, end: committedEnd, isExact: false)
    let count = check.recordHeaderSize + size
    guard count <= rest.count else { return nil }
    return try unsafe check.record(number, entry, UnsafeRawBufferPointer(rebasing: rest[..<count]), owner: log)
  }
}
