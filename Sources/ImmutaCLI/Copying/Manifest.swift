import Immuta

/// The contents of a backup's directory, in the file `immuta-backup.json`: which logs it has, and how many records of each. It is
/// written last, and replaced as a whole: so everything that it lists exists.
struct Manifest: Equatable {
  /// What is said of a log.
  struct Entry: Equatable {
    /// The log's identity; nil if no file holds it.
    var identity: String?
    /// The number of its first record.
    var first: Int
    /// The number of the first record that it does not have.
    var count: Int
    /// Bytes of its log files.
    var bytes: Int
    /// When the backup began that found it so.
    var at: String
    /// Records that were damaged in the log.
    var damaged: Int
  }

  /// Whether a backup into the directory has ended.
  var isComplete = false
  /// The directory that the last backup was of.
  var source: String
  /// When the last backup began.
  var at: String
  /// Whether the logs are as they were at one moment.
  var isOneMoment = true
  var namespaces: [String: Entry] = [:]
  var partitions: [String: Entry] = [:]

  static let fileName = "immuta-backup.json"
  static let version = 1

  /// What is said of logs of a kind.
  subscript(_ kind: LogKind) -> [String: Entry] {
    get { kind == .namespace ? namespaces : partitions }
    set { if kind == .namespace { namespaces = newValue } else { partitions = newValue } }
  }

  // MARK: Its bytes

  var bytes: [UInt8] {
    var object = JSONObject()
    object.add("immutaBackup", Self.version)
    object.add("complete", isComplete)
    object.add("source", source)
    object.add("at", at)
    object.add("oneMoment", isOneMoment)
    for kind in [LogKind.namespace, .partition] {
      object.add(Self.member(kind), members: self[kind].sorted { $0.key < $1.key }) { entry, object in
        object.add("identity", entry.identity)
        object.add("first", entry.first)
        object.add("count", entry.count)
        object.add("bytes", entry.bytes)
        object.add("at", entry.at)
        object.add("verified", true)
        object.add("damaged", entry.damaged)
      }
    }
    return object.lineOfFile
  }

  private static func member(_ kind: LogKind) -> String { kind == .namespace ? "namespaces" : "partitions" }

  init(source: String, at: String) {
    (self.source, self.at) = (source, at)
  }

  /// - Throws: `Unreadable` for what no backup writes.
  init(_ bytes: [UInt8]) throws {
    let top = try Members(bytes[...])
    let version = try top.number("immutaBackup")
    guard version == Self.version else {
      throw Unreadable("its version is \(version), and this program knows \(Self.version)")
    }
    self.init(source: try top.text("source"), at: try top.text("at"))
    isComplete = try top.flag("complete")
    isOneMoment = try top.flag("oneMoment")
    for kind in [LogKind.namespace, .partition] {
      for (name, value) in try top.object(Self.member(kind)).all {
        guard kind == .namespace ? Storage.isValidNamespace(name) : Self.isPartition(name) else {
          throw Unreadable("“\(name)” is no name of a \(kind.rawValue)")
        }
        self[kind][name] = try Entry(Members(value))
      }
    }
  }

  static func isPartition(_ name: String) -> Bool { Int(name).map { "\($0)" == name && $0 >= 0 } ?? false }

  /// Why a manifest cannot be read.
  struct Unreadable: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
  }
}

extension Manifest.Entry {
  fileprivate init(_ members: Members) throws {
    identity = try members.textIfAny("identity")
    (first, count) = (try members.number("first"), try members.number("count"))
    (bytes, damaged) = (try members.number("bytes"), try members.number("damaged"))
    at = try members.text("at")
    if first > count { throw Manifest.Unreadable("a log in it ends before it begins") }
  }
}

/// The members of a JSON object, each once.
private struct Members {
  private(set) var all: [String: ArraySlice<UInt8>] = [:]

  init(_ bytes: ArraySlice<UInt8>) throws {
    var scanner = JSONMembers(bytes)
    guard bytes.withUnsafeBytes(UTF8Validator.isText), let members = scanner.all() else {
      throw Manifest.Unreadable("it is not a JSON object")
    }
    for member in members {
      guard let name = JSONMembers.unescaped(member.name) else { throw Manifest.Unreadable("a name in it is no text") }
      let text = String(decoding: name, as: UTF8.self)
      if all.updateValue(member.value, forKey: text) != nil {
        throw Manifest.Unreadable("it has the member “\(text)” more than once")
      }
    }
  }

  private func value(_ name: String) throws -> ArraySlice<UInt8> {
    guard let value = all[name] else { throw Manifest.Unreadable("it has no member “\(name)”") }
    return value
  }

  func number(_ name: String) throws -> Int {
    let text = String(decoding: try value(name), as: UTF8.self)
    guard let number = Int(text), (0...1 << 60).contains(number) else {
      throw Manifest.Unreadable("its member “\(name)” is no number from 0 on")
    }
    return number
  }

  func flag(_ name: String) throws -> Bool {
    switch String(decoding: try value(name), as: UTF8.self) {
    case "true": true
    case "false": false
    default: throw Manifest.Unreadable("its member “\(name)” is neither true nor false")
    }
  }

  func text(_ name: String) throws -> String {
    let literal = try value(name)
    guard literal.first == UInt8(ascii: "\""), let text = JSONMembers.unescaped(literal) else {
      throw Manifest.Unreadable("its member “\(name)” is no text")
    }
    return String(decoding: text, as: UTF8.self)
  }

  func textIfAny(_ name: String) throws -> String? { all[name] == nil ? nil : try text(name) }

  func object(_ name: String) throws -> Members { try Members(value(name)) }
}
