import Locking

/// Entries in memory.
///
/// A hole in a file takes no room on the disk, and reads as records of no bytes, as many as somebody cares to claim.
/// Entries that were made for such records, one behind the other, are counted rather than kept: so what a list takes is
/// bounded by the bytes that the log really has.
final class EntryList: Sendable {
  private struct State {
    /// Encoded entries, but for those of the runs.
    var bytes: [UInt8] = []
    var runs: [Run] = []
    var count = 0
    var madeCount = 0
  }

  /// Entries of records of no bytes, one behind the other, which differ in their places only.
  private struct Run {
    let first: Int
    let entry: CompanionEntry
    var count = 1
    /// Records in the runs before this one.
    let skipped: Int

    var end: Int { first + count }

    func entry(_ position: Int) -> CompanionEntry {
      var entry = entry
      entry.index += position * Run.recordSize
      return entry
    }

    /// Bytes of a record of no bytes, in the formats whose records have no checksum of their own, and their checksum.
    private static let recordSize = LogFormat.v2.recordHeaderSize
    private static let checksum = RecordHeader(.v2, size: 0, payloadChecksum: 0).checksum

    /// Whether a run may begin with an entry.
    static func mayBegin(with entry: CompanionEntry) -> Bool { entry.isMade && entry.recordChecksum == checksum }
  }

  private let state = Lock(State())

  var count: Int { state.withLock { $0.count } }

  /// How many of them were made from the log's bytes.
  var madeCount: Int { state.withLock { $0.madeCount } }

  /// Adds the next record's entry; nil for one that is damaged, and stays so.
  func append(_ entry: CompanionEntry?) {
    state.withLock { state in
      defer { state.count += 1 }
      guard let entry, entry.isMade else { return Self.encode(entry, into: &state) }
      state.madeCount += 1
      guard Run.mayBegin(with: entry) else { return Self.encode(entry, into: &state) }
      let last = state.runs.count - 1
      if last >= 0, state.runs[last].end == state.count, state.runs[last].entry(state.runs[last].count) == entry {
        state.runs[last].count += 1
      } else {
        let skipped = last < 0 ? 0 : state.runs[last].skipped + state.runs[last].count
        state.runs.append(Run(first: state.count, entry: entry, skipped: skipped))
      }
    }
  }

  private static func encode(_ entry: CompanionEntry?, into state: inout State) {
    let (start, number) = (state.bytes.count, state.count)
    state.bytes.append(contentsOf: repeatElement(0, count: CompanionEntry.size))
    unsafe state.bytes.withMutableBytes { bytes in
      unsafe entry?.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), number: number)
    }
  }

  func read(_ target: UnsafeMutableRawBufferPointer, from first: Int) -> Int {
    state.withLock { state in
      let end = min(state.count, first + target.count / CompanionEntry.size)
      var number = first
      // The first run that does not end before the record.
      var position = state.runs.partitioningIndex { $0.end > first }
      while number < end {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[((number - first) * CompanionEntry.size)...])
        let run = position < state.runs.count ? state.runs[position] : nil
        if let run, run.first <= number {
          unsafe run.entry(number - run.first).encode(into: rest, number: number)
          number += 1
          if number == run.end { position += 1 }
        } else {
          let skipped = run?.skipped ?? state.runs.last.map { $0.skipped + $0.count } ?? 0
          let start = (number - skipped) * CompanionEntry.size
          let count = min(end, run?.first ?? .max) - number
          unsafe rest.copyBytes(from: state.bytes[start..<start + count * CompanionEntry.size])
          number += count
        }
      }
      return max(0, number - first)
    }
  }
}

extension Array {
  /// The position of the first element that a condition holds for, where it holds for all after it, too. O(log count).
  fileprivate func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
    var (lower, upper) = (0, count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if isBehind(self[middle]) { upper = middle } else { lower = middle + 1 }
    }
    return lower
  }
}
