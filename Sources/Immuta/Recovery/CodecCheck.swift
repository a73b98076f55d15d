/// Whether a log's payloads fit the given codec. Checked before anything is appended, and before the payloads are delivered as
/// they are stored.
struct CodecCheck {
  /// Where the log is.
  let path: String
  /// The name of the codec that was given; empty for none.
  let codecName: String
  let deliversStoredPayloads: Bool
  let takesPayloadsAsStored: Bool
  /// Whether nothing is appended.
  let isForReading: Bool
  /// How its records are read.
  let check: RecordCheck

  private var format: LogFormat { check.format }

  /// Throws `.codecMismatch` when the log is known to be written with another codec.
  func checkName(_ written: String?) throws(ImmutaError) {
    if deliversStoredPayloads { return }
    guard let written, written != codecName else { return }
    throw .codecMismatch(written: written, opened: codecName)
  }

  /// The same for a log that has lost its companion: goes by its payloads. A few of the first records are looked at, and
  /// the last, so O(1). With a codec, one of them must be what it can read.
  ///
  /// - Parameters:
  ///   - last: where the last record begins, if that is known.
  ///   - isNamed: whether the codec's name is known all the same, so that only the keys may be wrong.
  /// - Returns: what people should know of payloads that look compressed with DEFLATE and are taken as they are stored: of
  ///   the log, as “it …”. Such logs of another program's, which says nothing beside them, are read and extended so; it
  ///   stays open with which codec this one was written.
  /// - Throws: `.codecUnknown`; `.corrupted`, `.io`.
  func checkPayloads(_ log: Descriptor, count: Int, last: Int?, isNamed: Bool) throws(ImmutaError) -> String? {
    // A store's partitions have no codec.
    if count == 0 || format == .bilog || deliversStoredPayloads { return nil }
    let samples = try samples(log, count: count, last: last)
    if codecName.isEmpty { return isNamed ? nil : try checkAppearance(of: samples, log) }
    if isForReading { return nil }
    var failure: Corruption?
    let check = check.verifyingChecksums(false)
    for sample in samples {
      do throws(ImmutaError) {
        let entry = CompanionEntry(index: sample.index, time: 0, recordChecksum: 0)
        _ = try LargeRecord.read(check.first + sample.number, entry, size: sample.size, from: log, check)
        return nil
      } catch .undecodable(let corruption) {
        failure = failure ?? corruption
      }
    }
    guard let failure else { return nil }
    throw .codecUnknown(
      path: path,
      reason: (isNamed ? "" : "its companion is lost, and ")
        + "\(codecName.quoted) "
        + "cannot read it (record \(failure.sequence ?? 0): \(failure.reason)): open it with the codec and the keys that it "
        + "was written with, or with none if it was written with none")
  }

  /// Without a codec, payloads must not look as if a codec had made them.
  private func checkAppearance(of samples: [RecordPlace], _ log: Descriptor) throws(ImmutaError) -> String? {
    if takesPayloadsAsStored { return nil }
    guard let appearance = Self.appearance(of: try appearances(of: samples, log)) else { return nil }
    if appearance == .deflate {
      // A few bytes may have any structure by chance.
      if samples.reduce(0, { $0 + $1.size }) < Self.fewestDeflated { return nil }
      return
        "looks \(appearance.words), and nothing beside the log says with which codec it was written: its records are "
        + "taken as they are stored; to read what was appended, open it with that codec"
    }
    throw .codecUnknown(
      path: path,
      reason:
        "its records look \(appearance.words), and nothing beside the log says with which codec it was written: "
        + "open it with that codec; if the records were appended just as they are, say that they are taken as stored")
  }

  /// Whether the codec that was given reads a record of the log, under the name that the log has now.
  func canReadPayloads(_ log: Descriptor, count: Int, last: Int?) -> Bool {
    do throws(ImmutaError) {
      _ = try checkPayloads(log, count: count, last: last, isNamed: true)
      return true
    } catch {
      return false
    }
  }

  /// Proves, before anything is appended, that the given codec can read the log: it reads the newest of the last records that is
  /// small and whole. With another key it could not, and the log would then hold records of both keys. Reads a few short records,
  /// one in most cases.
  ///
  /// - Parameter entries: how many records have entries in the companion.
  /// - Throws: `.codecUnknown`; `.io`.
  func proveCodec(_ log: Descriptor, _ companion: Descriptor, entries: Int) throws(ImmutaError) {
    if codecName.isEmpty || deliversStoredPayloads || format == .bilog { return }
    let check = check.verifyingChecksums(true)
    for number in stride(from: entries - 1, through: max(0, entries - Self.mostTried), by: -1) {
      // An entry that was made may be of a record that another program appended, which knows of no codec.
      guard let entry = try companion.companionEntry(number), !entry.isMade,
        let end = try log.recordEnd(at: entry.index, format)
      else { continue }
      let size = end - entry.index - format.recordHeaderSize
      if size > Chunk.largestRecord { continue }
      do throws(ImmutaError) {
        _ = try LargeRecord.readWhole(check.first + number, entry, size: size, from: log, check)
        return
      } catch .undecodable(let corruption) {
        // It could be read, and is more than may be.
        if corruption.reason.remedy == .higherLimit { return }
        throw .codecUnknown(
          path: path,
          reason:
            "it was written with \(codecName.quoted), and what was given under that name cannot "
            + "read its record \(check.first + number): \(corruption.reason). To append, open it with the keys and dictionaries that "
            + "the record was written with; to read the others, open it for reading only")
      } catch .corrupted {
        // It proves nothing.
        continue
      }
    }
  }

  /// Records that are looked at, at most, to prove a codec.
  private static var mostTried: Int { 64 }

  private static var mostSamples: Int { 4 }
  /// Bytes that are read at once to find them.
  private static var sampleBuffer: Int { 4096 }
  /// Bytes that must have the structure of DEFLATE before a log is taken for compressed.
  private static var fewestDeflated: Int { 8 }

  private func samples(_ log: Descriptor, count: Int, last: Int?) throws(ImmutaError) -> [RecordPlace] {
    var samples: [RecordPlace] = []
    var scanner = LogScanner(log, format, end: try io(log.size), bufferSize: Self.sampleBuffer)
    var walk = RecordWalk(format)
    while samples.count < min(count, Self.mostSamples), let place = try walk.next(in: &scanner) {
      samples.append(place)
    }
    if let last, count > samples.count, last >= format.leastIndex(of: count - 1),
      let place = try RecordWalk(format, number: count - 1, index: last).place(in: &scanner)
    {
      samples.append(place)
    }
    return samples
  }

  private func appearances(of samples: [RecordPlace], _ log: Descriptor) throws(ImmutaError) -> [PayloadAppearance?] {
    var found: [PayloadAppearance?] = []
    for sample in samples {
      var bytes = [UInt8](repeating: 0, count: min(sample.size, PayloadAppearance.sampleSize))
      let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
        try unsafe io(log.read(into: bytes, at: sample.index + format.recordHeaderSize))
      }
      found.append(
        unsafe bytes.withBytes { bytes in
          unsafe PayloadAppearance(beginning: UnsafeRawBufferPointer(rebasing: bytes[..<count]), size: sample.size)
        })
    }
    return found
  }

  /// Hardly anything but a sealed payload looks like one: one of them is enough. A payload that looks like a compressed file may
  /// be just that, appended to a log that holds other things as well.
  private static func appearance(of found: [PayloadAppearance?]) -> PayloadAppearance? {
    if found.contains(.sealed) { return .sealed }
    guard let first = found.first, let first else { return nil }
    return found.allSatisfy { $0 == first } ? first : nil
  }
}
