public import Immuta

/// Some messages of one partition, one after the other, that were delivered together: see ``MessageConsumer/nextBatch()``.
///
/// There is at least one. A batch is a collection that gives each message when it is asked for, and stays valid for as long as
/// it is held.
public struct MessageBatch: RandomAccessCollection, Sendable {
  /// The partition that the messages are in.
  public let partition: Int
  /// The same as records of the partition's log.
  public let records: RecordBatch

  init(_ records: RecordBatch, partition: Int) {
    self.records = records
    self.partition = partition
  }

  /// The first message's place: 0.
  public var startIndex: Int { 0 }
  /// The place after the last message: how many there are.
  public var endIndex: Int { records.count }
  /// The messages' numbers in their partition. Not empty.
  public var sequences: Range<Int> { records.sequences }

  /// The message at a place, counted from 0; traps outside. O(1).
  public subscript(place: Int) -> StoredMessage { StoredMessage(records[place], partition: partition) }
}
