/// How a log's payloads are stored: a writing transformer, and the reading one that undoes it.
///
/// ```swift
/// var configuration = Storage.Configuration()
/// configuration.codec = Codec(name: "mask", writing: Mask(), reading: Mask())
/// ```
public struct Codec: Sendable {
  /// The name that is recorded beside the log, and compared when the log is opened.
  public let name: String
  /// Applied to a payload when it is appended.
  public let writing: any Transformer
  /// Applied to stored bytes when they are read.
  public let reading: any Transformer

  /// A codec of two transformers.
  ///
  /// - Parameters:
  ///   - name: the name for the stored bytes; by default the writing transformer's name.
  ///   - writing: applied when appending.
  ///   - reading: undoes what `writing` does.
  public init(name: String? = nil, writing: any Transformer, reading: any Transformer) {
    self.name = name ?? writing.name
    self.writing = writing
    self.reading = reading
  }

  /// This codec, and then another over its output: `compression.then(encryption)` compresses and then encrypts, and on reading
  /// decrypts and then decompresses.
  public func then(_ next: Codec) -> Codec {
    Codec(
      name: TransformerChain.joined([name, next.name]), writing: writing.then(next.writing),
      reading: next.reading.then(reading))
  }
}
