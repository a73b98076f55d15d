public import Immuta

extension LogStore {
  /// Fills a buffer with a partition's bytes from an offset on: whole messages, and perhaps the beginning of one more,
  /// as they are on file. ``unmarshal(_:)`` takes them apart, and checks them.
  ///
  /// Reads committed messages only, and changes no file position: any number of tasks may read at once. O(bytes read).
  ///
  /// - Parameters:
  ///   - partition: its number.
  ///   - offset: where to begin: 0, or where a message ended. Where partitions roll, it is one in the partition's newest
  ///     segment: for the messages of all segments, use a stream.
  ///   - buffer: is filled from its start on; its size stays.
  /// - Returns: how many bytes were read: 0 at the end of the partition.
  /// - Throws: `.partitionNotFound`, `.invalidOffset` for a negative one, `.storageClosed`, `.io`.
  public func read(partition: Int, offset: Int, into buffer: inout [UInt8]) throws(ImmutaError) -> Int {
    let log = try log(partition)
    return try unsafe buffer.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe log.readCommitted(into: bytes, at: offset)
    }
  }

  /// Takes a partition's bytes apart into messages, and checks each against its checksum.
  ///
  /// A message that the buffer ends inside of is left, and no error: read again from where the whole ones end, into a
  /// larger buffer if there was none. Zeros at the end are no messages. O(bytes).
  ///
  /// - Parameter bytes: from the beginning of a message on.
  /// - Returns: the whole messages, and how many bytes they take.
  /// - Throws: `.corrupted` when a message's payload does not have its checksum, or no message begins where one should;
  ///   its `index` is the offset in the buffer.
  public static func unmarshal(
    _ bytes: some Collection<UInt8>
  ) throws(ImmutaError) -> (messages: [LogStore.Message], consumed: Int) {
    var result: Result<(messages: [LogStore.Message], consumed: Int), ImmutaError>?
    _ = bytes.withContiguousStorageIfAvailable { bytes in
      result = unsafe Unmarshalling.run(UnsafeRawBufferPointer(bytes))
    }
    if let result { return try result.get() }
    return try unsafe Array(bytes).withBytes { unsafe Unmarshalling.run($0) }.get()
  }
}

private enum Unmarshalling {
  static func run(
    _ bytes: UnsafeRawBufferPointer
  ) -> Result<(messages: [LogStore.Message], consumed: Int), ImmutaError> {
    let header = LogFormat.bilog.recordHeaderSize
    var messages: [LogStore.Message] = []
    var position = 0
    while bytes.count - position >= header {
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[position...])
      let size = unsafe RecordHeader.size(in: rest, .bilog)
      if size < 0 {
        if unsafe rest.allSatisfy({ $0 == 0 }) { break }
        return .failure(damage(.sizeField, position, "its LENGTH is none that a message can have"))
      }
      if size > rest.count - header { break }
      let payload = unsafe UnsafeRawBufferPointer(rebasing: rest[header..<header + size])
      let checksum = unsafe RecordHeader.payloadChecksum(in: rest)
      guard unsafe RecordHeader.extend(0, payload) == checksum else {
        return .failure(damage(.checksum, position, "its payload does not have its checksum"))
      }
      messages.append(LogStore.Message(payload: unsafe Array(payload), checksum: checksum, offset: position))
      position += header + size
    }
    return .success((messages, position))
  }

  private static func damage(_ code: Corruption.Reason.Code, _ offset: Int, _ reason: String) -> ImmutaError {
    .corrupted(Corruption(code, path: "a buffer of messages", index: offset, reason: reason))
  }
}
