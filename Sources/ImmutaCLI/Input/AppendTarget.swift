import Immuta
import ImmutaLogStore

/// What records are appended to: a log, or a store.
protocol AppendTarget: AnyObject {
  /// Appends one record.
  ///
  /// - Parameter number: which of the input's lines it is, from 1 on.
  /// - Returns: where the record is; nil if it is appended later, together with later records: see ``settle()``.
  func append(_ record: ArraySlice<UInt8>, number: Int) async throws -> AppendReceipt?
  /// Appends one record that is too large to be held whole.
  func append(_ record: RecordInput.Pieces, number: Int) async throws -> AppendReceipt
  /// Appends records that were taken and are not appended yet.
  ///
  /// - Returns: where the records are for which `append` returned nil, in their order.
  func settle() async throws -> [AppendReceipt]
  /// Puts the appended records on stable storage.
  func sync() async throws
  /// The summary for people.
  func text(of summary: Appender.Summary, time: Duration) -> String
  /// The summary for programs.
  func object(of summary: Appender.Summary, time: Duration) -> JSONObject
}

extension AppendTarget {
  func settle() async throws -> [AppendReceipt] { [] }
}

/// Where an appended record is.
struct AppendReceipt {
  /// Nil in a log.
  var partition: Int?
  var sequence: Int
  /// Its place in a file; nil for a log on a cluster.
  var index: Int?
  var size: Int
}

/// A log as the target.
final class LogTarget: AppendTarget {
  private let log: Log

  init(_ log: Log) {
    self.log = log
  }

  func append(_ record: ArraySlice<UInt8>, number: Int) async throws -> AppendReceipt? {
    AppendReceipt(try await log.append(record))
  }

  func append(_ record: RecordInput.Pieces, number: Int) async throws -> AppendReceipt {
    AppendReceipt(try await log.append(record))
  }

  func sync() async throws { try await log.sync() }

  func text(of summary: Appender.Summary, time: Duration) -> String {
    var text = "appended \(Quantities.counted(summary.records, "record")), "
    text += "\(Quantities.counted(summary.bytes, "byte")), to \(log.namespace) in \(Quantities.time(time))"
    text += Quantities.rateSuffix(summary.bytes, in: time)
    return text + "; it has \(Quantities.grouped(log.count - log.firstSequence))"
  }

  func object(of summary: Appender.Summary, time: Duration) -> JSONObject {
    var object = JSONObject()
    object.add("namespace", log.namespace)
    summary.add(to: &object)
    object.add("first", summary.first)
    object.add("count", log.count)
    object.add("seconds", seconds: time)
    return object
  }
}

/// A store as the target, with the rule for each line's key.
final class StoreTarget: AppendTarget {
  private let store: LogStore
  private let keys: KeySource

  init(_ store: LogStore, keys: KeySource) {
    self.store = store
    self.keys = keys
  }

  func append(_ record: ArraySlice<UInt8>, number: Int) async throws -> AppendReceipt? {
    let (key, payload) = try keys.split(record)
    return AppendReceipt(try await store.append(payload, key: key))
  }

  func append(_ record: RecordInput.Pieces, number: Int) async throws -> AppendReceipt {
    guard case .fixed(let key) = keys else { throw Self.isTooLong }
    return AppendReceipt(try await store.append(record, key: key))
  }

  private static var isTooLong: LineRefusal {
    LineRefusal(
      reason: "has more than a megabyte, in which no key is looked for: give the key of all lines with --key")
  }

  /// Throws where the first line of an input would be refused: then no store is made for it.
  static func check(_ first: RecordInput, keys: KeySource) throws {
    guard let (bytes, isLarge) = try first.peek() else { return }
    do throws(LineRefusal) {
      if !isLarge { _ = try keys.split(bytes) } else if !keys.isFixed { throw Self.isTooLong }
    } catch {
      throw ToolError("line 1 \(error.reason); nothing was appended, and no store was made")
    }
  }

  func sync() async throws { try await store.sync() }

  func text(of summary: Appender.Summary, time: Duration) -> String {
    let text = "appended \(Quantities.counted(summary.records, "message"))"
    return "\(text) to \(Quantities.counted(store.partitionCount, "partition")) in \(Quantities.time(time))"
  }

  func object(of summary: Appender.Summary, time: Duration) -> JSONObject {
    var object = JSONObject()
    summary.add(to: &object)
    object.add("partitions", store.partitionCount)
    object.add("seconds", seconds: time)
    return object
  }
}

extension AppendReceipt {
  fileprivate init(_ receipt: Immuta.Receipt) {
    self.init(sequence: receipt.sequence, index: receipt.index, size: receipt.size)
  }

  fileprivate init(_ receipt: LogStore.Receipt) {
    self.init(
      partition: receipt.partition, sequence: receipt.sequence, index: receipt.offset, size: receipt.size)
  }

  /// One line for programs.
  func append(to output: inout [UInt8]) {
    JSON.beginRecord(
      partition: partition, sequence: sequence, index.map { ($0, size) }, hasSchema: false, in: &output)
    output.append("}\n")
  }
}
