/// A transformer of payloads that are held whole: a closure from bytes to bytes. For libraries that cannot work in
/// pieces.
///
/// ```swift
/// let packer = WholePayloadTransformer(name: "packed") { bytes, _ in pack(bytes) }
/// ```
public struct WholePayloadTransformer: Transformer {
  /// The name for the bytes that it makes, or undoes.
  public let name: String
  private let largest: Int
  private let body: @Sendable ([UInt8], RecordContext) throws -> [UInt8]

  /// A transformer that applies a closure.
  ///
  /// - Parameters:
  ///   - name: see ``Transformer/name``.
  ///   - largest: bytes of the largest payload it takes, and of the largest that it makes; more are an error, as they
  ///     are held in memory. So, with the same bound on both sides, whatever one makes the other takes. Default:
  ///     64 MiB.
  ///   - body: gets the whole payload, and the record that it belongs to; returns the transformed payload. A body that undoes a
  ///     compression should make no more than `record.limit` bytes.
  public init(
    name: String, largest: Int = 64 << 20,
    _ body: @escaping @Sendable (_ payload: [UInt8], _ record: RecordContext) throws -> [UInt8]
  ) {
    self.name = name
    self.largest = largest
    self.body = body
  }

  /// A state that collects the payload.
  public func makeState() -> sending any TransformerState { State(largest, body) }

  private final class State: TransformerState {
    private let largest: Int
    private let body: @Sendable ([UInt8], RecordContext) throws -> [UInt8]
    private var record = RecordContext(namespace: "", sequence: 0)
    private var collected: [UInt8] = []

    init(_ largest: Int, _ body: @escaping @Sendable ([UInt8], RecordContext) throws -> [UInt8]) {
      self.largest = largest
      self.body = body
    }

    func begin(_ record: RecordContext) {
      self.record = record
      collected = []
    }

    func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
      guard input.byteCount <= largest - collected.count else {
        throw TransformError("it is larger than the \(largest) bytes that this transformer holds")
      }
      unsafe input.withUnsafeBytes { unsafe collected.append(contentsOf: $0) }
      return input.byteCount
    }

    func finish(into output: TransformOutput) throws -> Bool {
      let result = try body(collected, record)
      collected = []
      guard result.count <= largest else {
        throw TransformError(
          "it becomes \(result.count) bytes, more than the \(largest) that this transformer may make")
      }
      output.append(result)
      return true
    }
  }
}
