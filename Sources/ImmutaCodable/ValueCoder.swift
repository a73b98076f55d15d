/// Makes bytes of values, and values of bytes: what a ``TypedLog`` appends and reads with.
///
/// Two are here: JSON, the default, and property lists. To use another, write two functions:
///
/// ```swift
/// struct MessagePack: ValueCoder {
///   func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] { … }
///   func decode<Value: Decodable>(_ type: Value.Type, from bytes: RawSpan) throws -> Value { … }
/// }
///
/// let orders = try storage.log("orders", of: OrderEvent.self).coder(MessagePack())
/// ```
///
/// A log outlives the program that wrote it: what `encode` made once, `decode` must read for as long as the log is kept.
public protocol ValueCoder: Sendable {
  /// The bytes of a value. Equal values need not give equal bytes.
  ///
  /// - Throws: anything. Nothing is appended then, and the caller gets the error as it is.
  func encode<Value: Encodable>(_ value: Value) throws -> [UInt8]

  /// The value of some bytes, which are valid only until the call returns.
  ///
  /// - Throws: anything. The reader gets it as the reason of `ImmutaError.undecodableValue`.
  func decode<Value: Decodable>(_ type: Value.Type, from bytes: RawSpan) throws -> Value
}
