public import Immuta
import ImmutaLocking

/// One partition of a store: a log, and a file whose bytes can be sent as they are.
///
/// The file is the one that the partition had when you asked for it. In a store that is open for reading only, another
/// program may cut it back, or put another in its place. Then the calls that ask for its bytes throw `.logChanged`, and
/// ``LogStore/partition(_:)`` returns the partition with the file that is read now.
///
/// If partitions roll, the file is that of the segment which was the newest when you asked. Its messages do not change; later
/// ones are in the file of a partition that you ask for later.
public final class Partition: Sendable {
  /// Its number.
  public let index: Int
  /// The partition as one of Immuta's logs: transactions, single messages by number, `details`, `verify`.
  public let log: Log
  private let file: OpenLogFile
  private let others: Lock<Others>

  private struct Others {
    /// The store's partitions, which hold this one once its descriptor's number was asked for.
    weak var partitions: HeldPartitions?
  }

  init(_ index: Int, _ log: Log, of others: HeldPartitions) throws(ImmutaError) {
    self.index = index
    self.log = log
    self.others = Lock(Others(partitions: others))
    file = try log.openFile()
  }

  /// The number of a descriptor of the partition's file, open for reading: for `sendfile`, `splice` and their like,
  /// which take bytes from the file to a socket without a copy through the program.
  ///
  /// ``messageRange(from:limit:)`` says which bytes are whole messages. They never change. After the last committed
  /// message the file may have other bytes, which are no messages. Give the offset with each call, as `pread` and
  /// `sendfile` let you: all users share the descriptor's file position, and nobody moves it.
  ///
  /// It stays open for as long as you hold the partition, even after the store was closed. Do not close it.
  ///
  /// ```swift
  /// let range = try partition.messageRange(from: offset, limit: 1 << 20)
  /// var position = off_t(range.lowerBound)
  /// while position < range.upperBound {
  ///   let sent = sendfile(socket, partition.fileDescriptor, &position, range.upperBound - Int(position))
  ///   guard sent > 0 else { … }   // sendfile moved `position`
  /// }
  /// ```
  public var fileDescriptor: Int32 {
    others.withLock { $0.partitions }?.keep(self)
    return file.descriptor.number
  }

  /// Whether the file is still the partition's.
  ///
  /// - Throws: `.storageClosed`, `.io`.
  var isCurrent: Bool {
    get throws(ImmutaError) { try log.isCurrent(file) }
  }

  /// Committed messages. O(1).
  public var count: Int { log.count }

  /// Bytes of committed messages: where the next one will begin.
  ///
  /// - Throws: `.logChanged` when the file is not the partition's any more, `.storageClosed`, `.io`.
  public var end: Int {
    get throws(ImmutaError) { try log.committedSize(of: file) }
  }

  /// The bytes of whole committed messages from an offset on, to be sent as they are.
  ///
  /// They are not read: the program that splits them checks them. O(log messages), in small reads.
  ///
  /// - Parameters:
  ///   - offset: where a message begins: 0, or where one ended.
  ///   - limit: how many bytes at most; but one message at least, however long it is.
  /// - Returns: their range in the file; empty at the end of the partition.
  /// - Throws: `.invalidOffset` when no message begins there; `.logChanged` when the file is not the partition's any
  ///   more, so that offsets in it say nothing about its present messages; `.corrupted`, `.storageClosed`, `.io`.
  public func messageRange(from offset: Int, limit: Int) throws(ImmutaError) -> Range<Int> {
    try log.wholeRecords(from: offset, limit: limit, in: file)
  }
}
