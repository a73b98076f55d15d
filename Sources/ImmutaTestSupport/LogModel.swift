public import Immuta
import Synchronization

/// What a log must hold, by what was done to it: the array that a real log is compared with.
///
/// An appending test reports before (`begins`) and after (`succeeded`, `takenBack`). An append that was begun and not answered
/// may exist or not, but only as a whole. `promise` says how many records must survive a power cut. Records may be removed from
/// the front: up to where that was asked for, whole segments, and they do not come back once that was answered. A model may be
/// asked at any moment and from any thread; ``Snapshot/check(_:)`` then says whether a log's contents are possible.
public final class LogModel: Sendable {
  /// Names records that are appended together.
  public struct Batch: Hashable, Sendable {
    fileprivate let number: Int
  }

  /// What is known at one moment.
  public struct Snapshot: Sendable {
    /// Records whose place is known, by number.
    public var known: [Int: Content] = [:]
    /// Records with a known place that were committed with the one before them.
    fileprivate var joined: Set<Int> = []
    /// Records that may be there: batches that were begun, and neither succeeded nor were taken back.
    fileprivate var open: [Int: [Content]] = [:]
    /// Records that must be there, whatever happens to the machine.
    public var promised = 0
    /// The records before this one are gone for good.
    public fileprivate(set) var removed = 0
    /// The records before this one may be gone.
    fileprivate var removable = 0
    fileprivate var nextBatch = 0
    /// One more than the largest known number.
    public fileprivate(set) var count = 0
  }

  private let state = Mutex(Snapshot())

  /// The model of an empty log.
  public init() {}

  /// The model of a log of which this much is known.
  public init(_ snapshot: Snapshot) {
    state.withLock { $0 = snapshot }
  }

  /// The present knowledge.
  public var snapshot: Snapshot { state.withLock { $0 } }

  /// Records that the log must hold now, while its machine is up.
  public var count: Int { state.withLock { $0.count } }

  /// The content of a record with a known place.
  public func content(of number: Int) -> Content? { state.withLock { $0.known[number] } }

  /// These are about to be appended, together or not at all.
  public func begins(_ contents: [Content]) -> Batch {
    state.withLock { state in
      let number = state.nextBatch
      state.nextBatch += 1
      state.open[number] = contents
      return Batch(number: number)
    }
  }

  /// They were appended, the first as record `first`.
  public func succeeded(_ batch: Batch, first: Int) throws {
    try state.withLock { state in
      guard let contents = state.open.removeValue(forKey: batch.number) else { return }
      for (position, content) in contents.enumerated() {
        if let other = state.known[first + position] {
          throw Finding("two appends were given number \(first + position): \(other) and \(content)")
        }
        state.known[first + position] = content
        if position > 0 { state.joined.insert(first + position) }
        state.count = max(state.count, first + position + 1)
      }
    }
  }

  /// They are certainly not in the log.
  public func takenBack(_ batch: Batch) {
    state.withLock { $0.open[batch.number] = nil }
  }

  /// The records before a number are about to be removed, as far as their segments have no others.
  public func removes(before number: Int) {
    state.withLock { $0.removable = max($0.removable, number) }
  }

  /// The log said that it begins with record `first`: nothing before that comes back, whatever happens to the machine.
  ///
  /// - Throws: `Finding` when nobody asked for so much to be removed, or records came back.
  public func begins(with first: Int) throws {
    try state.withLock { state in
      if first > state.removable {
        throw Finding(
          "the log begins with record \(first), and nobody removed more than those before \(state.removable)")
      }
      if first < state.removed { throw Finding("the log begins with record \(first) again, after \(state.removed)") }
      state.removed = first
    }
  }

  /// The first `count` records must survive a power cut from now on.
  public func promise(_ count: Int) {
    state.withLock { $0.promised = max($0.promised, count) }
  }
}

extension LogModel.Snapshot {
  /// What the models of two moments allow together, for a log that was looked at in between: what was promised at the
  /// first, and what may have been appended until the second.
  public static func between(_ first: Self, _ second: Self) -> Self {
    var both = second
    both.promised = first.promised
    both.removed = first.removed
    return both
  }

  /// Checks what a log holds: the records from `first` up to `count`, each given by `record`, in order.
  ///
  /// - Parameter isUp: whether the machine stayed up: then every record with a known place must be there, promised or
  ///   not.
  /// - Returns: what is known now: the existing records, and no others.
  /// - Throws: `Finding` when a promised record is missing, a record is not what was appended, only half of a batch exists, or a
  ///   record exists that nobody appended, or that was removed; and what `record` throws.
  public func check(
    count found: Int, first: Int = 0, isUp: Bool = false, _ record: (Int) async throws -> Record
  ) async throws -> Self {
    let least = isUp ? max(count, promised) : promised
    if found < least { throw Finding("\(found) records are there, \(least) must be") }
    guard first <= found, (removed...max(removed, removable)).contains(first) else {
      throw Finding("\(first) of \(found) records were removed, \(removed) to \(removable) may be")
    }
    if joined.contains(first) { throw Finding("half a transaction is there: it began before record \(first)") }
    var open = open
    var result = Self()
    result.promised = promised
    (result.removed, result.removable, result.count) = (first, max(first, removable == .max ? .max : 0), first)
    while result.count < found {
      let number = result.count
      let next = try await record(number)
      if next.sequence != number { throw Finding("record \(next.sequence) came as number \(number)") }
      if let content = known[number] {
        guard content.matches(next.payload) else {
          throw Finding("record \(number) is not the \(content) that was appended: \(Self.describe(next))")
        }
        result.add([content])
        if joined.contains(number) { result.joined.insert(number) }
        continue
      }
      guard let batch = open.first(where: { $0.value.first?.matches(next.payload) ?? false }) else {
        throw Finding("record \(number) was never appended, or twice: \(Self.describe(next))")
      }
      result.add(try await Self.whole(batch.value, from: number, count: found, record))
      open[batch.key] = nil
    }
    if joined.contains(found) { throw Finding("half a transaction is there: record \(found) is missing") }
    return result
  }

  private mutating func add(_ batch: [Content]) {
    for (position, content) in batch.enumerated() {
      known[count] = content
      if position > 0 { joined.insert(count) }
      count += 1
    }
  }

  private static func whole(
    _ batch: [Content], from first: Int, count: Int, _ record: (Int) async throws -> Record
  ) async throws -> [Content] {
    // The first was compared by the caller; records are asked for in order, each once.
    for (position, content) in batch.enumerated().dropFirst() {
      guard first + position < count else {
        throw Finding("half a transaction is there: \(position) of \(batch.count) records, from \(first) on")
      }
      guard content.matches(try await record(first + position).payload) else {
        throw Finding("record \(first + position) is not the \(content) of the transaction that began at \(first)")
      }
    }
    return batch
  }

  private static func describe(_ record: Record) -> String {
    let head = record.payload.prefix(8).reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return "#\(head)[\(record.size)] at byte \(record.index)"
  }
}
