/// Transformers in a row: the first one's output is the second one's input, and so on.
///
/// ```swift
/// configuration.writeTransform = compressor.then(encryptor)
/// configuration.readTransform = decryptor.then(decompressor)
/// ```
///
/// The reading chain has the opposite order; ``Codec/then(_:)`` sees to that by itself.
public struct TransformerChain: Transformer {
  /// The transformers, in the order in which they are applied; chains within are taken apart.
  public let transformers: [any Transformer]

  /// A row of at least one.
  public init(_ transformers: [any Transformer]) {
    precondition(!transformers.isEmpty, "a chain needs a transformer")
    self.transformers = transformers.flatMap(\.parts)
  }

  /// The names, in order.
  public var name: String { Self.joined(transformers.map(\.name)) }

  /// A state that has one of each.
  public func makeState() throws -> sending any TransformerState {
    ChainState(try TransformRun(transformers))
  }

  /// The name of a chain from those of its parts.
  static func joined(_ names: [String]) -> String { names.joined(separator: " + ") }
}

extension Transformer {
  /// This transformer, and then another over its output.
  public func then(_ next: any Transformer) -> TransformerChain { TransformerChain([self, next]) }

  /// The transformers that it consists of.
  var parts: [any Transformer] { (self as? TransformerChain)?.transformers ?? [self] }
}

/// A chain where a single state is asked for: the engine takes chains apart and needs none.
private final class ChainState: TransformerState {
  private let run: TransformRun

  init(_ run: TransformRun) {
    self.run = run
  }

  func begin(_ record: RecordContext) throws {
    try run.begin(record, TransformLimits(decoding: record.limit))
  }

  func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
    // Taken whole: the run's own outputs stay small, and the caller's pieces are.
    try unsafe input.withUnsafeBytes { bytes in
      unsafe run.give(bytes)
      while try run.step() { drain(into: output) }
    }
    return input.byteCount
  }

  func finish(into output: TransformOutput) throws -> Bool {
    run.giveNoMore()
    while try !output.isFull && run.step() { drain(into: output) }
    return run.isFinished
  }

  private func drain(into output: TransformOutput) {
    run.output.withBytes { output.append($0) }
    run.output.removeAll()
  }
}
