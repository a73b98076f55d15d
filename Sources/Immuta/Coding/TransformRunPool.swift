import ImmutaLocking

/// Runs that wait for their next record, for all logs of a storage: so a thousand logs keep no more of them than one.
///
/// A run belongs to no log: it learns which record it works for when it begins it.
final class TransformRunPool: Sendable {
  private let transformers: [any Transformer]
  private let idle = Lock<[TransformRun]>([])

  /// Runs kept for the next records: about as many as there are processors to use them at once.
  private static let mostIdle = 8

  init(_ transformer: any Transformer) {
    transformers = transformer.parts
  }

  /// A run that nobody else has.
  func take() throws -> TransformRun {
    try idle.withLock { $0.popLast() } ?? TransformRun(transformers)
  }

  /// Keeps a run whose record is complete. A run that failed, or was given up half-way, is dropped instead: its states are in the
  /// middle of a record.
  func put(_ run: TransformRun) {
    run.output.reset()
    idle.withLock { idle in
      if idle.count < Self.mostIdle { idle.append(run) }
    }
  }
}

/// Both sides of a storage's codec, as its logs share them; nil where payloads are stored as they are.
struct TransformPools {
  let writing: TransformRunPool?
  let reading: TransformRunPool?

  init(encoding: (any Transformer)?, decoding: (any Transformer)?) {
    writing = encoding.map { TransformRunPool($0) }
    reading = decoding.map { TransformRunPool($0) }
  }
}
