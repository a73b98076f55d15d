import Foundation
import Immuta

/// JSON, the default: what can be read in ten years, by any program, and by people with `immuta cat`.
///
/// - Keys are sorted and nothing is indented: equal values are equal bytes, on each machine and with each version of
///   Foundation. They compress better, too.
/// - A `Date` is text in ISO 8601, in UTC, to the nanosecond: `"2026-11-26T08:21:11.25Z"`. Dates of today come back exactly as
///   they were. When decoding, other offsets from UTC are understood as well, and so are numbers: seconds since 2001, which is
///   what `JSONEncoder` writes by itself.
/// - `Data` is Base64. Numbers that are none in JSON, such as `Double.nan`, throw when they are appended.
public struct JSONValueCoder: ValueCoder {
  // Both are safe to use from several threads, and take their options once.
  private let encoder: JSONEncoder
  private let decoder: JSONDecoder

  /// The coder; all are alike.
  public init() {
    encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .custom { date, encoder in
      var container = encoder.singleValueContainer()
      guard let text = ISODate.text(of: date) else {
        // Not the date itself: Foundation traps where one is printed that is no number.
        throw EncodingError.invalidValue(
          date.timeIntervalSinceReferenceDate,
          .init(codingPath: encoder.codingPath, debugDescription: "The date is too far away to have a year."))
      }
      try container.encode(text)
    }
    decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom { decoder in
      let container = try decoder.singleValueContainer()
      if let seconds = try? container.decode(Double.self) { return Date(timeIntervalSinceReferenceDate: seconds) }
      let text = try container.decode(String.self)
      guard let date = ISODate.date(of: text) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "“\(text)” is no date in ISO 8601.")
      }
      return date
    }
  }

  /// The value as JSON.
  public func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] { [UInt8](try encoder.encode(value)) }

  /// The value that the JSON says.
  public func decode<Value: Decodable>(_ type: Value.Type, from bytes: RawSpan) throws -> Value {
    try decoder.decode(type, from: Data(copying: bytes))
  }
}

extension ValueCoder where Self == JSONValueCoder {
  /// JSON: see ``JSONValueCoder``.
  public static var json: JSONValueCoder { JSONValueCoder() }
}

extension Data {
  /// A copy: the coder's result may refer to the bytes for longer than they are valid.
  init(copying bytes: RawSpan) {
    self = unsafe bytes.withUnsafeBytes { unsafe Data($0) }
  }
}
