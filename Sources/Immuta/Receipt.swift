/// Where an appended record is.
public struct Receipt: Hashable, Sendable {
  /// The record's number: 0 for the first of the log.
  public let sequence: Int
  /// Byte offset of the record's size field in the log file.
  public let index: Int
  /// Stored payload bytes, without the size field: after compression or encryption, where a codec is in use.
  public let size: Int

  package init(sequence: Int, index: Int, size: Int) {
    self.sequence = sequence
    self.index = index
    self.size = size
  }
}
