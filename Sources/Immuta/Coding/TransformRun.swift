/// A payload on its way through transformers: their states in a row, each with its output, used again and again.
///
/// It is driven from its end: a step of the last stage that lacks input becomes a step of the stage before. So no output grows
/// beyond the piece at hand, however much each stage makes of its input.
///
/// `@unchecked Sendable`: used by one thread at a time. The thread that has it took it out of a lock, or holds the lock; its
/// states were made only for it.
@safe final class TransformRun: @unchecked Sendable {
  private struct Stage {
    let state: any TransformerState
    let output = TransformOutput()
    /// Bytes of its input that it took.
    var taken = 0
    /// Bytes that it made of the record.
    var made = 0
    /// Whether its last call filled the output, so that it is called again even without input.
    var isToBeCalledAgain = false
    var isFinished = false
  }

  private var stages: [Stage]
  private var source = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  private var isSourceOver = false
  private var limits = TransformLimits.none
  /// Bytes that came out at the end.
  var made: Int { stages[stages.count - 1].made }
  /// The output of the last stage.
  let output: TransformOutput

  init(_ transformers: [any Transformer]) throws {
    stages = try transformers.map { transformer in Stage(state: try transformer.makeState()) }
    guard let last = stages.last else { preconditionFailure("a run needs a transformer") }
    output = last.output
  }

  /// Begins a record, whose output is full at `mark` bytes. The limits in the record's context are replaced: each stage gets its
  /// own.
  func begin(_ record: RecordContext, _ limits: TransformLimits, mark: Int = TransformOutput.pieceSize) throws {
    unsafe source = UnsafeRawBufferPointer(start: nil, count: 0)
    isSourceOver = false
    self.limits = limits
    for position in stages.indices {
      stages[position].taken = 0
      stages[position].made = 0
      stages[position].isToBeCalledAgain = false
      stages[position].isFinished = false
      stages[position].output.reset()
      // Only the first stage's input has the payload's size.
      let size = position == 0 ? record.size : nil
      let context = RecordContext(
        namespace: record.namespace, sequence: record.sequence, size: size, limit: limit(at: position))
      try stages[position].state.begin(context)
    }
    output.mark = mark
  }

  /// Whether everything has come out.
  var isFinished: Bool { stages[stages.count - 1].isFinished }

  /// Hands over the payload's next piece, which must stay in place until `step()` returns false.
  func give(_ bytes: UnsafeRawBufferPointer) {
    precondition(unsafe stages[0].taken == source.count && !isSourceOver, "the piece before was not taken")
    unsafe source = bytes
    stages[0].taken = 0
  }

  /// No more pieces follow.
  func giveNoMore() {
    isSourceOver = true
  }

  /// Does a bounded piece of work; false when it needs more input for that.
  func step() throws -> Bool {
    try step(stages.count - 1)
  }

  private func step(_ position: Int) throws -> Bool {
    let input = unsafe position == 0 ? source : stages[position - 1].output.bytes
    if stages[position].taken < input.count || stages[position].isToBeCalledAgain {
      try unsafe transform(input, at: position)
      return true
    }
    if position == 0 ? isSourceOver : stages[position - 1].isFinished {
      if stages[position].isFinished { return false }
      let before = stages[position].output.count
      let output = stages[position].output
      stages[position].isFinished = try stages[position].state.finish(into: output)
      if !stages[position].isFinished, output.count == before { throw Self.standstill }
      try note(before, at: position)
      return true
    }
    if position == 0 { return false }
    stages[position - 1].output.removeAll()
    stages[position].taken = 0
    return try step(position - 1)
  }

  private func transform(_ input: UnsafeRawBufferPointer, at position: Int) throws {
    let output = stages[position].output
    let before = output.count
    let rest = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: input[stages[position].taken...]))
    let taken = try stages[position].state.transform(rest, into: output)
    precondition(taken >= 0 && taken <= rest.byteCount, "a transformer took \(taken) of \(rest.byteCount) bytes")
    if taken < rest.byteCount, !output.isFull {
      throw TransformError("a transformer left \(rest.byteCount - taken) bytes behind")
    }
    // A stage that neither takes input nor adds output would be called for ever.
    if taken == 0, output.count == before, stages[position].taken < input.count {
      throw Self.standstill
    }
    stages[position].taken += taken
    stages[position].isToBeCalledAgain = output.isFull && output.count > before
    try note(before, at: position)
  }

  private static var standstill: TransformError { TransformError("a transformer makes nothing, and does not end") }

  private func note(_ before: Int, at position: Int) throws {
    stages[position].made += stages[position].output.count - before
    let limit = limit(at: position)
    if stages[position].made > limit {
      let place = position == stages.count - 1 ? "" : " between two of its transformers"
      throw TransformError.overLimit(limit, place)
    }
  }

  private func limit(at position: Int) -> Int {
    position == stages.count - 1 ? limits.last : limits.between
  }
}
