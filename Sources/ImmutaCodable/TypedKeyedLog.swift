public import Immuta

/// The values of a log by a key that each may have: an account, a cart, a tenant. It is to a ``TypedLog`` what `KeyedLog` is to
/// `Log`.
///
/// ```swift
/// let accounts = try events.keyed("account") { event in event.account }
/// for try await event in accounts.records(of: "account-7") { balance += event.value.cents }
/// try await accounts.append(.withdrawn(account: "account-7", cents: 100), expecting: count)
/// ```
///
/// Make one and keep it. A record that does not decode has no key: it is in no key's stream, and does not count. If a later version
/// of the type decodes it, raise the index's version.
public struct TypedKeyedLog<Value, Key: RecordKey>: Sendable {
  /// The log whose values they are.
  public let log: TypedLog<Value>
  /// The records by their keys.
  public let keyed: KeyedLog<Key>

  var reading: ValueReading { log.reading }

  /// How many records the key has. See `count(of:)` of `KeyedLog`.
  public func count(of key: Key) async throws -> Int { try await keyed.count(of: key) }

  /// The same, for code that is not async. Blocks for the reads.
  public func count(of key: Key) throws(ImmutaError) -> Int { try keyed.count(of: key) }

  /// The keys that values of the log have, in the order of their first records. O(keys) reads, and memory for all of them.
  public var keys: [Key] {
    get async throws { try await keyed.keys }
  }

  /// The same, for code that is not async. Blocks for the reads.
  public func allKeys() throws(ImmutaError) -> [Key] { try keyed.allKeys() }
}

extension TypedLog where Value: Decodable & SendableMetatype {
  /// The values of the log by a key that each may have. See `keyed(_:version:by:)` of `Log`: the index is derived, and made again
  /// where it is lost.
  ///
  /// - Parameters:
  ///   - name: the index's; as a namespace's may be. Indexes of a log have different names.
  ///   - version: raise it whenever `key` changes what it returns for any value, or the type what it decodes. Files that another
  ///     version has kept are not used.
  ///   - key: returns a value's key; nil for a value that has none. It must return the same for the same value, at any time, and must
  ///     not use the log.
  /// - Throws: `.invalidConfiguration` for a name that cannot be one.
  public func keyed<Key: RecordKey>(
    _ name: String, version: Int = 1, by key: @escaping @Sendable (Value) -> Key?
  ) throws(ImmutaError) -> TypedKeyedLog<Value, Key> {
    let keyed = try log.keyed(name, version: version) { [reading] payload in
      let value: Value? = reading.value(of: payload)
      return value.flatMap(key)
    }
    return TypedKeyedLog(log: self, keyed: keyed)
  }
}

extension TypedKeyedLog where Value: Decodable {
  /// The values of a key from a position of the log on: those that exist, then those to come. Never fails; the stream's first
  /// `next()` throws what stands in the way.
  public func stream(
    _ key: Key, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> TypedKeyStream<Value> {
    TypedKeyStream(keyed.stream(key, from: position, only: visibility), reading)
  }

  /// The values of a key from a position of the log to the last one that exists when this is called. Never fails.
  public func records(
    of key: Key, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> TypedKeyHistory<Value> {
    TypedKeyHistory(keyed.records(of: key, from: position, only: visibility), reading)
  }

  /// One value of a key, counted from 0 as `count(of:)` counts; nil where the key has no such value yet, or where it was removed.
  ///
  /// - Throws: as `record(_:of:)` of `KeyedLog`.
  public func record(_ number: Int, of key: Key) async throws -> TypedRecord<Value>? {
    try await keyed.record(number, of: key).map { try reading.value(of: $0) }
  }

  /// The same, for code that is not async. Blocks for the reads.
  public func record(_ number: Int, of key: Key) throws -> TypedRecord<Value>? {
    try keyed.record(number, of: key).map { try reading.value(of: $0) }
  }
}

extension TypedKeyedLog where Value: Encodable {
  /// Appends a value, if its key has exactly so many records; otherwise nothing, and throws `.unexpectedCount`.
  ///
  /// - Throws: what the coder throws, and then nothing was appended; `.invalidConfiguration` where the value has no key; as
  ///   `append(_:expecting:)` of `KeyedLog`.
  @discardableResult
  public func append(_ value: Value, expecting count: Int) async throws -> Receipt {
    try await keyed.append(try log.coder.encode(value), expecting: count)
  }

  /// The same, for code that is not async. Blocks while a transaction has the writer, for reads of the index, and for the flush in
  /// `.synced`.
  @discardableResult
  public func append(_ value: Value, expecting count: Int) throws -> Receipt {
    try keyed.append(try log.coder.encode(value), expecting: count)
  }
}

extension TypedKeyedLog {
  /// Appends values all together or not at all, if a key has exactly so many records; otherwise `body` is not called, and it throws
  /// `.unexpectedCount`. The values may have other keys.
  ///
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws; as `transaction(of:expecting:_:)` of `KeyedLog`.
  @discardableResult
  public func transaction<Result>(
    of key: Key, expecting count: Int, _ body: (inout TypedTransaction<Value>) async throws -> Result
  ) async throws -> Result {
    try await keyed.transaction(of: key, expecting: count) { transaction in try await log.run(body, &transaction) }
  }

  /// The same, for code that is not async. Blocks as `append`.
  @discardableResult
  public func transaction<Result>(
    of key: Key, expecting count: Int, _ body: (inout TypedTransaction<Value>) throws -> Result
  ) throws -> Result {
    try keyed.transaction(of: key, expecting: count) { transaction in try log.run(body, &transaction) }
  }
}
