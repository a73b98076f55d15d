import Foundation
import Testing

/// The part of JSON Schema that the tool's schema uses. What it does not know is a fault of the schema: nothing goes unchecked.
struct JSONSchema {
  private let root: JSONValue

  /// The schema in the documentation.
  init() throws {
    let package = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
    let file = package.appending(path: "Sources/Immuta/Immuta.docc/Resources/immuta-output.schema.json")
    root = try JSONValue(String(contentsOf: file, encoding: .utf8))
  }

  /// The names of what it defines.
  var definitions: Set<String> { Set(root["$defs"]?.members?.keys.map { $0 } ?? []) }

  /// What is wrong with a value; nothing where it is as a definition says.
  func faults(of value: JSONValue, as definition: String) -> [String] {
    faults(value, .object(["$ref": .string("#/$defs/\(definition)")]), at: definition)
  }

  /// Expects that lines are objects as a definition says.
  func expect(_ lines: [String], as definition: String, _ comment: String) {
    for line in lines {
      do {
        let faults = try faults(of: JSONValue(line), as: definition)
        #expect(faults.isEmpty, "\(comment): \(faults.joined(separator: "\n"))")
      } catch {
        Issue.record("\(comment): \(line.debugDescription) is no JSON")
      }
    }
  }

  private func faults(_ value: JSONValue, _ schema: JSONValue, at place: String) -> [String] {
    guard let rules = schema.members else { return ["\(place): the schema is no object"] }
    return rules.sorted { $0.key < $1.key }.flatMap { name, rule -> [String] in
      switch name {
      case "description", "additionalProperties": []
      case "$ref": faultsOfReference(value, rule, at: place)
      case "type": Self.isOf(value, types: rule) ? [] : ["\(place): \(value) is not of the type \(rule)"]
      case "const": value == rule ? [] : ["\(place): \(value) is not \(rule)"]
      case "enum": rule.elements?.contains(value) == true ? [] : ["\(place): \(value) is not among \(rule)"]
      case "minimum": Self.isAtLeast(value, rule) ? [] : ["\(place): \(value) is below \(rule)"]
      case "pattern": Self.matches(value, rule) ? [] : ["\(place): \(value) does not match \(rule)"]
      case "required":
        (rule.elements ?? []).compactMap(\.string).filter { value[$0] == nil }.map { "\(place): “\($0)” is missing" }
      case "properties": faultsOfMembers(value, rule, areAll: rules["additionalProperties"] == .bool(false), at: place)
      case "items": (value.elements ?? []).enumerated().flatMap { faults($1, rule, at: "\(place)[\($0)]") }
      case "oneOf":
        (rule.elements ?? []).count { faults(value, $0, at: place).isEmpty } == 1
          ? [] : ["\(place): \(value) is not just one of the choices"]
      default: ["\(place): the checker does not know “\(name)”"]
      }
    }
  }

  private func faultsOfReference(_ value: JSONValue, _ reference: JSONValue, at place: String) -> [String] {
    let start = "#/$defs/"
    guard let path = reference.string, path.hasPrefix(start),
      let schema = root["$defs"]?[String(path.dropFirst(start.count))]
    else { return ["\(place): \(reference) leads nowhere"] }
    return faults(value, schema, at: place)
  }

  private func faultsOfMembers(_ value: JSONValue, _ properties: JSONValue, areAll: Bool, at place: String) -> [String]
  {
    (value.members ?? [:]).sorted { $0.key < $1.key }.flatMap { name, member -> [String] in
      if let schema = properties[name] { return faults(member, schema, at: "\(place).\(name)") }
      return areAll ? ["\(place): “\(name)” is not documented"] : []
    }
  }

  private static func isOf(_ value: JSONValue, types: JSONValue) -> Bool {
    let names = types.elements ?? [types]
    return switch value {
    case .null: names.contains(.string("null"))
    case .bool: names.contains(.string("boolean"))
    case .integer: names.contains(.string("integer")) || names.contains(.string("number"))
    case .number: names.contains(.string("number"))
    case .string: names.contains(.string("string"))
    case .array: names.contains(.string("array"))
    case .object: names.contains(.string("object"))
    }
  }

  /// What is no number is not compared.
  private static func isAtLeast(_ value: JSONValue, _ least: JSONValue) -> Bool {
    guard case .integer(let least) = least else { return false }
    return switch value {
    case .integer(let value): value >= least
    case .number(let value): value >= Double(least)
    default: true
    }
  }

  private static func matches(_ value: JSONValue, _ pattern: JSONValue) -> Bool {
    guard let text = value.string, let pattern = pattern.string, let regex = try? Regex(pattern) else { return false }
    return text.firstMatch(of: regex) != nil
  }
}
