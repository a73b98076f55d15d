/// Where an appended record is.
public struct Receipt: LogReceipt, Hashable {
  /// The record's number in its log: 0 for the first.
  public let sequence: Int
  /// Byte offset of the record's size field in the log file. Find the record by its ``sequence``, not by this.
  public let index: Int
  /// Stored payload bytes, without the size field. With a codec that is the size after compression or encryption, not the number
  /// of bytes that were appended.
  public let size: Int

  package init(sequence: Int, index: Int, size: Int) {
    self.sequence = sequence
    self.index = index
    self.size = size
  }

  /// Whether the task that appended the record lets other tasks run. An append that need not wait does not suspend, so tasks that
  /// append without end would otherwise keep all threads of the pool from other tasks.
  @inlinable
  var isPause: Bool { sequence & 1023 == 1023 }
}
