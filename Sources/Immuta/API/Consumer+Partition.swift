// What a consumer of several logs, as LogStore's is, needs of each of them.

extension Consumer {
  /// The number of the record that is delivered next.
  package var nextSequence: Int { reader.position }

  /// Whether everything that was delivered is acknowledged.
  package var isIdle: Bool { nextSequence <= position }

  /// The place, for somebody who waits for a record of several logs.
  package var waiting: RecordStream { RecordStream(reader.waiting) }

  /// Delivers records again, from one that was delivered on; not those that were acknowledged.
  package func deliverAgain(from sequence: Int) {
    if sequence >= position, sequence < reader.position { reader.position = sequence }
  }
}
