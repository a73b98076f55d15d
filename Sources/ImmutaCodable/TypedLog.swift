public import Immuta

/// A log whose records are values of one type.
///
/// ```swift
/// enum OrderEvent: Codable {
///   case placed(id: Int)
///   case shipped(id: Int, at: Date)
/// }
///
/// let orders = try storage.log("orders", of: OrderEvent.self)
/// try await orders.append(.placed(id: 7))
/// for try await order in orders.stream() { print(order.value, order.record.sequence) }
/// ```
///
/// It is the same log, with the same promises: each call does what the call of that name does on ``log``, which stays at hand for
/// everything else. A value is encoded before any other caller has to wait for it, and decoded when its record is delivered. Its
/// type and the ``ValueCoder`` decide how a value looks on file; see <doc:ValuesAndProjections> for how a type changes while its
/// log stays.
///
/// The type must be `Encodable` to append and `Decodable` to read; it need not be `Sendable`.
public struct TypedLog<Value>: Sendable {
  /// The log itself.
  public let log: Log
  let coder: any ValueCoder

  /// The values of a log.
  ///
  /// - Parameters:
  ///   - log: the log.
  ///   - type: the type of its values.
  ///   - coder: what values are encoded and decoded with. Default: JSON.
  public init(_ log: Log, of type: Value.Type = Value.self, coder: some ValueCoder = .json) {
    self.log = log
    self.coder = coder
  }

  /// The same log, whose values are encoded and decoded with another coder. O(1).
  public func coder(_ coder: some ValueCoder) -> TypedLog { TypedLog(log, coder: coder) }

  /// The namespace's name.
  public var namespace: String { log.namespace }

  /// Committed records: the number that the next one gets. O(1).
  public var count: Int { log.count }

  var reading: ValueReading { ValueReading(namespace: log.namespace, coder: coder) }
}

extension Storage {
  /// The values of an open namespace, as JSON unless ``TypedLog/coder(_:)`` says otherwise. O(1).
  ///
  /// - Throws: `.storageClosed`, `.namespaceNotFound`.
  public func log<Value>(_ namespace: String, of type: Value.Type) throws(ImmutaError) -> TypedLog<Value> {
    TypedLog(try log(namespace))
  }

  /// The values of a namespace, which is opened if it is not, and created if it does not exist and `creating` is true.
  ///
  /// - Throws: as `log(_:creating:)` of `Storage`.
  public func log<Value>(
    _ namespace: String, of type: Value.Type, creating: Bool
  ) throws(ImmutaError) -> TypedLog<Value> {
    TypedLog(try log(namespace, creating: creating))
  }

  /// The values of a namespace, which is opened with this access if it is not open.
  ///
  /// - Throws: as `log(_:creating:access:)` of `Storage`.
  public func log<Value>(
    _ namespace: String, of type: Value.Type, creating: Bool = false, access: Access
  ) throws(ImmutaError) -> TypedLog<Value> {
    TypedLog(try log(namespace, creating: creating, access: access))
  }
}
