import Foundation

/// Any JSON, with numbers and truth values apart.
enum JSONValue: Decodable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(_ text: some StringProtocol) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// A member of an object; nil where there is none.
  subscript(_ name: String) -> JSONValue? { if case .object(let members) = self { members[name] } else { nil } }

  var string: String? { if case .string(let value) = self { value } else { nil } }
  var elements: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
  var members: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
}
