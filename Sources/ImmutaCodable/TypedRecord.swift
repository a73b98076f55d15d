public import Immuta

/// A value, and the record of any log that holds it: a `Record` of a log in this process, see ``TypedRecord``, or one of a cluster.
public struct TypedEntry<Value, Entry: LogRecord> {
  /// What was appended.
  public let value: Value
  /// The record: its sequence, its time and its bytes.
  public let record: Entry

  /// The record's number in its log: 0 for the first.
  public var sequence: Int { record.sequence }
  /// When the record was committed.
  public var timestamp: Timestamp { record.timestamp }
}

extension TypedEntry: Sendable where Value: Sendable {}

/// A value, and the record that holds it.
public typealias TypedRecord<Value> = TypedEntry<Value, Record>

/// Makes values of records: everything that code which delivers records needs to deliver values.
struct ValueReading: Sendable {
  /// For errors.
  let namespace: String
  let coder: any ValueCoder

  /// - Throws: `.undecodableValue`; what reading a large payload throws.
  func value<Value: Decodable, Entry: LogRecord>(
    of record: Entry, as type: Value.Type = Value.self
  ) throws -> TypedEntry<Value, Entry> {
    let payload = try record.payload.inMemory()
    do {
      return TypedEntry(value: try payload.withBytes { try coder.decode(type, from: $0) }, record: record)
    } catch {
      throw ImmutaError.undecodableValue(
        sequence: record.sequence, type: "\(type)", reason: DecodingReason.text(of: error),
        in: .init(namespace: namespace))
    }
  }

  /// The value of a payload; nil where it has none.
  func value<Value: Decodable>(of payload: Payload, as type: Value.Type = Value.self) -> Value? {
    guard let bytes = try? payload.inMemory() else { return nil }
    return try? bytes.withBytes { try coder.decode(type, from: $0) }
  }
}

/// What a decoder said, as a sentence without the last full stop.
enum DecodingReason {
  static func text(of error: any Error) -> String {
    guard let error = error as? DecodingError else { return trimmed("\(error)") }
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return text(of: context, at: context.codingPath)
    case .keyNotFound(let key, let context):
      return text(of: context, at: context.codingPath + [key])
    @unknown default: return trimmed("\(error)")
    }
  }

  private static func text(of context: DecodingError.Context, at path: [any CodingKey]) -> String {
    var text = trimmed(context.debugDescription)
    if let underlying = context.underlyingError { text += " (\(trimmed("\(underlying)")))" }
    return path.isEmpty ? text : "\(place(path)): \(text)"
  }

  /// As people write it: `lines[2].price`.
  private static func place(_ path: [any CodingKey]) -> String {
    path.reduce("") { text, key in
      if let index = key.intValue { return "\(text)[\(index)]" }
      return text.isEmpty ? key.stringValue : "\(text).\(key.stringValue)"
    }
  }

  private static func trimmed(_ text: String) -> String { text.hasSuffix(".") ? String(text.dropLast()) : text }
}
