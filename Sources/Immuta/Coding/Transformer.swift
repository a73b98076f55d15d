/// One way of turning a payload's bytes into others: compressing, encrypting, or undoing one of these.
///
/// A transformer is a description that is shared; the work is done by the states it makes, one per record at a time. A
/// state works in pieces, so that a payload of any size goes through in bounded memory, and is used again for the next
/// record, so that a small record costs no set-up.
///
/// ```swift
/// struct Mask: Transformer {
///   let name = "mask"
///
///   func makeState() -> sending any TransformerState { State() }
///
///   final class State: TransformerState {
///     func transform(_ input: RawSpan, into output: TransformOutput) -> Int {
///       input.withUnsafeBytes { bytes in for byte in bytes { output.append(byte ^ 0x5A) } }
///       return input.byteCount
///     }
///   }
/// }
/// ```
///
/// Put several in a row with ``then(_:)``, and pair a writing one with the reading one that undoes it as a
/// ``Codec``. Where a payload is held whole anyway, ``WholePayloadTransformer`` takes a closure.
public protocol Transformer: Sendable {
  /// The name for the bytes that it makes, or undoes, such as `deflate`. The two sides of a codec share it. It is recorded beside
  /// the log, and a log is opened only with the name it was written with. Not empty.
  var name: String { get }

  /// A new state, which nobody else uses.
  ///
  /// - Throws: when a state cannot be had; the append or the read then fails with this error's text.
  func makeState() throws -> sending any TransformerState
}

/// Does a transformer's work, for one record at a time: `begin`, any number of `transform`, `finish`.
///
/// Used by one thread at a time. When one of its calls throws it is not used again, nor is one whose record was given
/// up half-way.
public protocol TransformerState: AnyObject {
  /// A record begins. Forget everything about the record before. Does nothing if not implemented.
  func begin(_ record: RecordContext) throws

  /// Takes bytes of the payload, and appends the transformed ones.
  ///
  /// A state that may make much of little stops when `output.isFull`: it is then called again, with the input it did
  /// not take, or with none, until it returns without having filled the output. Others need not look.
  ///
  /// - Returns: how many bytes it took, from the input's start. Less than all only if the output is full.
  func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int

  /// The payload is complete: appends the rest. Does nothing if not implemented.
  ///
  /// - Returns: whether that was all. False to be called again.
  /// - Throws: also when the payload ended too early.
  func finish(into output: TransformOutput) throws -> Bool
}

extension TransformerState {
  /// Does nothing.
  public func begin(_ record: RecordContext) {}

  /// There is nothing left.
  public func finish(into output: TransformOutput) -> Bool { true }
}

/// The record that a payload belongs to.
public struct RecordContext: Hashable, Sendable {
  /// The log's name.
  public let namespace: String
  /// The record's number.
  public let sequence: Int
  /// Bytes of the payload, where that is known before its first piece comes.
  public let size: Int?
  /// Bytes that this transformer may make of the payload, at most: see
  /// ``Storage/Configuration/largestDecodedPayload``. The engine sees to it; a state that makes its output in one go
  /// should see to it itself.
  public let limit: Int

  /// Describes a record; the engine does, and tests of transformers.
  public init(namespace: String, sequence: Int, size: Int? = nil, limit: Int = .max) {
    self.namespace = namespace
    self.sequence = sequence
    self.size = size
    self.limit = limit
  }
}

/// Why a payload cannot be transformed, in words: for transformers to throw.
public struct TransformError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What does not fit. It never holds payload bytes or keys.
  public let description: String
  /// Whether there are more bytes than are allowed.
  var isOverLimit = false

  /// An error that says this.
  public init(_ description: String) {
    self.description = description
  }
}
