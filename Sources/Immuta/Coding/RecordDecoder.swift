/// Undoes what a ``RecordEncoder`` did, as records are read. Any number of threads at once.
///
/// A record whose payload is small once it is decoded is decoded when it is delivered. Of a larger one that only finds
/// out that it can be decoded, and how large it is, in bounded memory; its bytes are decoded when they are asked for.
final class RecordDecoder: Sendable {
  private let namespace: String
  private let pool: TransformRunPool
  private let limits: TransformLimits
  /// Further advice for a payload that cannot be decoded.
  private let advice: @Sendable () -> String?

  /// Payloads below this size are decoded when they are delivered.
  private static let largestEager = 1 << 20
  /// Stored bytes that are given to the transformers at a time.
  static let pieceSize = 256 << 10

  init(
    namespace: String, pool: TransformRunPool, limit: Int, advice: @escaping @Sendable () -> String? = { nil }
  ) {
    self.advice = advice
    self.namespace = namespace
    self.pool = pool
    limits = TransformLimits(decoding: limit)
  }

  /// The record with its payload decoded, or to be decoded; `stored` holds the stored bytes.
  func decode(_ stored: Record, path: String) throws(ImmutaError) -> Record {
    do {
      let run = try begin(sequence: stored.sequence, size: stored.size, mark: Self.largestEager)
      var input = DecoderInput(stored.payload)
      var isLarge = false
      while true {
        if run.output.isFull {
          isLarge = true
          run.output.mark = TransformOutput.pieceSize
          run.output.removeAll()
        }
        if try !run.step(), try !input.feed(run) { break }
      }
      let payload =
        isLarge
        ? Payload(DecodedPayload(stored, path: path, count: run.made, self))
        : unsafe PayloadMemory.payload(copying: run.output.bytes)
      finish(run)
      return Record(
        sequence: stored.sequence, index: stored.index, timestamp: stored.timestamp, payload: payload,
        size: stored.size)
    } catch let error as ImmutaError {
      // The stored bytes could not be had.
      throw error
    } catch {
      throw .undecodable(damage(error, path: path, sequence: stored.sequence, index: stored.index))
    }
  }

  /// Why a payload cannot be decoded, and what may explain it.
  func damage(_ error: any Error, path: String, sequence: Int, index: Int) -> Corruption {
    var damage = Corruption(.undecodable, path: path, sequence: sequence, index: index, reason: "\(error)")
    if let advice = advice() {
      damage.reason.description += "; \(advice)"
      damage.reason.remedy = .asStated
    } else if (error as? TransformError)?.isOverLimit == true {
      damage.reason.remedy = .higherLimit
    }
    return damage
  }

  /// A run at the beginning of a record. A run that throws is dropped: its states are in the middle of a record.
  func begin(sequence: Int, size: Int, mark: Int = TransformOutput.pieceSize) throws -> TransformRun {
    let run = try pool.take()
    try run.begin(RecordContext(namespace: namespace, sequence: sequence, size: size), limits, mark: mark)
    return run
  }

  /// The run's record is complete: it may be used for another.
  func finish(_ run: TransformRun) {
    pool.put(run)
  }
}

/// Feeds a stored payload to a run, a piece at a time.
struct DecoderInput {
  private var pieces: Payload.ChunkIterator
  /// Keeps the bytes in place that the run is looking at.
  private var piece: Payload?
  private var isOver = false

  init(_ stored: Payload) {
    pieces = stored.chunks(ofSize: RecordDecoder.pieceSize).makeIterator()
  }

  /// Hands over the next piece, or the end; false when that was handed over before.
  ///
  /// - Throws: the error that keeps the stored bytes from being read.
  mutating func feed(_ run: TransformRun) throws(ImmutaError) -> Bool {
    if isOver { return false }
    piece = try pieces.nextOrThrow()
    if let piece {
      // The bytes stay where they are while `piece` is held, which is until the run asks for more.
      unsafe piece.withUnsafeBytes { unsafe run.give($0) }
    } else {
      isOver = true
      run.giveNoMore()
    }
    return true
  }
}
