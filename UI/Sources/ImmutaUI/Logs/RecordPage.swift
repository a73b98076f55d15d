import Immuta

/// Some records of a log, one after the other: an answer.
struct RecordPage: Encodable {
  /// The first record that exists.
  let firstSequence: Int
  /// The number that the next record gets.
  let count: Int
  let records: [RecordShape]
  /// The number to go on with; nil at the end.
  let next: Int?

  /// Where a page begins.
  enum Start {
    /// The record with this number, or the first one that exists, if that comes later.
    case number(Int)
    /// The first record of this moment or later.
    case time(Timestamp)
    /// So that the newest record is the page's last.
    case end
  }

  /// A damaged record is in it with its error. O(bytes of the records).
  init(_ log: Log, from start: Start, count: Int, bytes: Int) throws {
    let numbers = log.numbers
    let begin =
      switch start {
      case .number(let number): number
      case .time(let moment): try log.sequence(at: moment)
      case .end: numbers.upperBound - min(count, numbers.count)
      }
    let first = min(max(begin, numbers.lowerBound), numbers.upperBound)
    let end = first + min(count, numbers.upperBound - first)
    records = try (first..<end).compactMap { number in try Self.shape(of: number, in: log, atMost: bytes) }
    (firstSequence, self.count) = (numbers.lowerBound, numbers.upperBound)
    next = end < numbers.upperBound ? end : nil
  }

  /// Nil for one that was removed in between.
  private static func shape(of number: Int, in log: Log, atMost bytes: Int) throws -> RecordShape? {
    do throws(ImmutaError) {
      let record = try log.record(at: number)
      do { return try RecordShape(record, atMost: bytes) } catch { return RecordShape(unreadable: number, error) }
    } catch .recordRemoved {
      return nil
    } catch .corrupted(let damage) {
      return RecordShape(unreadable: number, ImmutaError.corrupted(damage))
    } catch .undecodable(let damage) {
      return RecordShape(unreadable: number, ImmutaError.undecodable(damage))
    }
  }
}
