import Immuta
import ImmutaLogStore

// How much `cat` prints, for its bar: about, as logs grow and shrink.
extension StreamPosition {
  /// The number of the first record that a stream from here delivers of a log; nil where that is not known.
  private func number(in log: Log) -> Int? {
    switch self {
    case .beginning: log.firstSequence
    case .sequence(let number), .skipping(let number): number
    case .last(let count): max(log.firstSequence, log.count - count)
    case .time(let time): try? log.sequence(at: time)
    case .latest: log.count
    case .position: nil
    }
  }

  /// How many records a stream from here delivers of a log before `end`.
  func count(in log: Log, before end: Int) -> Int? { number(in: log).map { max(0, end - $0) } }
}

extension CatOptions {
  /// How many messages streams of the partitions of a store deliver.
  func total(of starts: [Int: StreamPosition], in store: LogStore) -> Int? {
    var total = 0
    for (number, start) in starts {
      // What cannot be opened delivers nothing.
      guard let log = try? store.partition(number).log else { continue }
      guard let end = try? end(of: log), let count = start.count(in: log, before: end) else { return nil }
      total += count
    }
    return total
  }
}
