import Foundation

/// Binary property lists: smaller than JSON where a value has many numbers and dates, and read by Apple's tools.
///
/// The value must be an array, a dictionary or a type with members: a property list is not a single number or text. XML is read
/// as well, and not written: it keeps no fractions of a second.
public struct PropertyListValueCoder: ValueCoder {
  // Both are safe to use from several threads, and take their options once.
  private let encoder: PropertyListEncoder
  private let decoder = PropertyListDecoder()

  /// The coder; all are alike.
  public init() {
    encoder = PropertyListEncoder()
    encoder.outputFormat = .binary
  }

  /// The value as a property list.
  public func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] { [UInt8](try encoder.encode(value)) }

  /// The value that the property list says.
  public func decode<Value: Decodable>(_ type: Value.Type, from bytes: RawSpan) throws -> Value {
    try decoder.decode(type, from: Data(copying: bytes))
  }
}

extension ValueCoder where Self == PropertyListValueCoder {
  /// Binary property lists: see ``PropertyListValueCoder``.
  public static var propertyList: PropertyListValueCoder { PropertyListValueCoder() }
}
