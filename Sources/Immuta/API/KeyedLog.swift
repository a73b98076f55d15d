/// The records of a log by a key that each may have: an account, a cart, a tenant. See <doc:Keys>.
///
/// ```swift
/// let accounts = try events.keyed("account") { payload in
///   payload.text.split(separator: " ").first.map(String.init)
/// }
/// for try await record in accounts.stream("account-7") { … }
/// try await accounts.append("account-7 paid", expecting: 3)
/// ```
///
/// Any number of tasks and threads may use one at once. Make one and keep it: each holds the keys of the log's newest segment in
/// memory, about 4 bytes a record and 40 a key, and reads that segment when it is first used.
public struct KeyedLog<Key: RecordKey>: Sendable {
  /// The log whose records they are.
  public let log: Log
  /// The name of the index.
  public let name: String
  let index: KeyIndex
  let keyOf: @Sendable (Payload) -> Key?

  /// How many records the key has: those that are committed, and those that the index has seen and that were removed since.
  /// O(segments) reads, none for the newest segment.
  ///
  /// The number never goes down while the log keeps growing, so pass it to `append(_:expecting:)`. If a record of the log cannot
  /// be read, nobody knows which key it has: then no key has a count.
  ///
  /// - Throws: `.corrupted` and `.undecodable`, naming a record that cannot be read; `.storageClosed`, `.logChanged`, `.io`.
  public func count(of key: Key) async throws -> Int {
    try await index.prepareBeside()
    return try countNow(of: key)
  }

  /// The same, for code that is not async. Blocks for the reads; the first time also for reading all records that no file of the
  /// index covers.
  public func count(of key: Key) throws(ImmutaError) -> Int { try countNow(of: key) }

  /// One record of a key, counted from 0 as `count(of:)` counts; nil where the key has no such record yet, or where it
  /// was removed. O(segments).
  ///
  /// - Throws: as `count`.
  public func record(_ number: Int, of key: Key) async throws -> Record? {
    try await index.prepareBeside()
    return try recordNow(number, of: key)
  }

  /// The same, for code that is not async. Blocks for the reads.
  public func record(_ number: Int, of key: Key) throws(ImmutaError) -> Record? { try recordNow(number, of: key) }

  /// The keys that records of the log have, in the order of their first records. Keys whose records were all removed are left
  /// out. O(keys) reads, and memory for all of them and a record each.
  ///
  /// - Throws: as `count`.
  public var keys: [Key] {
    get async throws {
      try await index.prepareBeside()
      return try keysNow()
    }
  }

  /// The same, for code that is not async. Blocks for the reads.
  public func allKeys() throws(ImmutaError) -> [Key] { try keysNow() }

  /// For tests: when it returns, the files that were due are made.
  package func finishFiles() { index.writeFiles() }

  private func countNow(of key: Key) throws(ImmutaError) -> Int {
    do throws(ImmutaError) { return try index.count(of: key.keyBytes) } catch { throw error.of(log.namespace) }
  }

  private func recordNow(_ number: Int, of key: Key) throws(ImmutaError) -> Record? {
    if number < 0 { return nil }
    do throws(ImmutaError) { return try index.record(number, of: key.keyBytes) } catch { throw error.of(log.namespace) }
  }

  private func keysNow() throws(ImmutaError) -> [Key] {
    do throws(ImmutaError) {
      return try index.firstRecords().compactMap { keyOf($0.payload) }
    } catch {
      throw error.of(log.namespace)
    }
  }
}

extension Log {
  /// The records of the log by a key that each may have.
  ///
  /// The index is kept beside the log, in the folder `<namespace>.keys`: see <doc:FileFormat#Indexes-of-keys>. It is derived: a
  /// part that is lost, damaged, or of another version is made again from the records when it is needed. Where the process may
  /// not write to that folder, the index is in memory. Making a `KeyedLog` reads nothing and does not fail for a damaged log.
  /// O(1).
  ///
  /// - Parameters:
  ///   - name: the index's; as a namespace's may be. Indexes of a log have different names.
  ///   - version: raise it whenever `key` changes what it returns for any payload. Files that another version has kept are not
  ///     used.
  ///   - key: returns a record's key; nil for a record that has none. It must return the same for the same payload, at any time,
  ///     and must not use the log. It is called for each record once it is indexed, and again when it is delivered.
  /// - Throws: `.invalidConfiguration` for a name that cannot be one.
  @inlinable
  public func keyed<Key: RecordKey>(
    _ name: String, version: Int = 1, by key: @escaping @Sendable (Payload) -> Key?
  ) throws(ImmutaError) -> KeyedLog<Key> {
    // Made here, where the type of key is known: it is called for each record.
    try keyed(name, version: version, hashMask: .max, by: key) { payload in key(payload)?.keyBytes }
  }

  /// - Parameter hashMask: see ``KeyHasher``.
  @usableFromInline
  func keyed<Key: RecordKey>(
    _ name: String, version: Int, hashMask: UInt64, by key: @escaping @Sendable (Payload) -> Key?,
    bytes: @escaping @Sendable (Payload) -> [UInt8]?
  ) throws(ImmutaError) -> KeyedLog<Key> {
    guard Storage.isValidNamespace(name) else {
      throw .invalidConfiguration(
        "\(name.quoted) cannot be the name of an index of keys: use 1 to 200 letters, digits, “.”, “_” or “-”, not "
          + "starting with “.”")
    }
    let index = KeyIndex(
      open, KeyFolder(currentFiles, name: name, trust: trust), version: version, hashMask: hashMask, keyOf: bytes)
    return KeyedLog(log: self, name: name, index: index, keyOf: key)
  }
}
