/// A codec at work on whole payloads, for logs that are kept elsewhere than in files. Any number of threads at once.
package final class PayloadCoder: Sendable {
  /// The codec's name.
  package let name: String
  private let namespace: String
  private let writing: TransformRunPool
  private let limit: Int
  private let decoder: RecordDecoder

  /// - Parameter limit: bytes that a payload may have once it is decoded.
  package init(_ codec: Codec, namespace: String, limit: Int) {
    name = codec.name
    self.namespace = namespace
    self.limit = limit
    writing = TransformRunPool(codec.writing)
    decoder = RecordDecoder(namespace: namespace, pool: TransformRunPool(codec.reading), limit: limit)
  }

  /// The stored bytes for a payload of the record of this number. O(bytes).
  ///
  /// - Throws: `.untransformable`.
  package func encode(_ payload: [UInt8], sequence: Int) throws(ImmutaError) -> [UInt8] {
    do {
      let run = try writing.take()
      let record = RecordContext(namespace: namespace, sequence: sequence, size: payload.count)
      try run.begin(record, TransformLimits(encoding: limit), mark: .max)
      // The bytes stay where they are until all of them were taken.
      try unsafe payload.withUnsafeBytes { bytes in
        unsafe run.give(bytes)
        run.giveNoMore()
        while try run.step() {}
      }
      let stored = unsafe Array(run.output.bytes)
      writing.put(run)
      return stored
    } catch {
      throw .untransformable("\(error)", in: .init(namespace: namespace))
    }
  }

  /// The payload of a record, from its stored bytes. Large ones are decoded when they are touched. O(bytes).
  ///
  /// - Parameter place: the place that an error names.
  /// - Throws: `.undecodable`.
  package func decode(
    _ stored: Payload, sequence: Int, timestamp: Timestamp, place: String
  ) throws(ImmutaError) -> Payload {
    try decoder.decode(
      Record(sequence: sequence, index: 0, timestamp: timestamp, payload: stored), path: place
    ).payload
  }
}
