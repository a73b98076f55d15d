/// A record's bytes: a contiguous, random-access collection that views them where they were read, without a copy.
///
/// The bytes stay valid for as long as the payload, or the record it came from, is held; you release nothing. A payload
/// keeps what it views in memory: a chunk of about 256 KiB that its neighbours share, a part of the log's tail, or, for
/// a record of more than 1 MiB, a mapping of the file whose pages come and go as they are touched. To keep a few bytes
/// for long, copy them: `Array(record.payload)`.
///
/// A payload of more than 1 MiB may still have to be read or decoded. Two ways into it throw where that fails:
///
/// - ``forEachChunk(ofSize:_:)`` delivers it in pieces, in bounded memory;
/// - ``inMemory()`` reads all of it; no use of the result can fail.
///
/// All other ways cannot throw, and trap then: ``text``, ``withBytes(_:)``, the bytes by their positions,
/// ``chunks(ofSize:)`` in an ordinary loop and others. They suit payloads of up to 1 MiB, which are in memory.
///
/// Where a codec is in use, a large payload is decoded when it is touched. Where the log is open for reading only, another
/// program may change its file, so the payload is read when it is touched. That this works was checked when its record was
/// delivered: it fails only if the file or the codec has changed since.
///
/// `@unchecked Sendable`: the bytes never change once a record is committed, and `owner`, which nobody touches, only
/// keeps them in place.
@safe public struct Payload: @unchecked Sendable {
  @usableFromInline let owner: AnyObject?
  /// Nil for an empty payload, and for one that is still to be read: then `owner` is a ``DeferredPayload``.
  @usableFromInline let base: UnsafeRawPointer?
  /// How many bytes there are. O(1).
  public let count: Int

  /// `bytes` must not change, and must stay in place, while `owner` lives.
  package init(_ bytes: UnsafeRawBufferPointer, owner: AnyObject?) {
    unsafe base = bytes.baseAddress
    count = bytes.count
    self.owner = owner
  }

  /// A large payload that is still to be read.
  init(_ deferred: some DeferredPayload) {
    unsafe base = nil
    count = deferred.count
    owner = deferred
  }

  /// Where the bytes come from, if they are not in memory.
  var deferred: (any DeferredPayload)? { unsafe base == nil ? owner as? any DeferredPayload : nil }

  /// The bytes as UTF-8 text; sequences that are not are replaced by U+FFFD. O(`count`).
  public var text: String { String(decoding: self, as: UTF8.self) }

  // Inlined, as the collection's members are: a closure that finds a record's key looks at the bytes of each record. As a generic
  // function of this module, it would look up types at run time each time. See CountedWork `history`.

  /// Calls `body` with the bytes, which are valid only until it returns. O(1), no copy.
  @inlinable
  public func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try unsafe withUnsafeBytes { (bytes) throws(E) in try unsafe body(RawSpan(_unsafeBytes: bytes)) }
  }

  /// Calls `body` with a pointer to the bytes, valid only until it returns; for C functions. O(1), no copy.
  @inlinable
  public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    if unsafe base == nil, count > 0 { return try unsafe inMemoryOrTrap().withUnsafeBytes(body) }
    defer { withExtendedLifetime(owner) {} }
    return try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
  }

  /// The bytes of a payload that was still to be read.
  @usableFromInline
  func inMemoryOrTrap() -> Payload {
    guard let deferred else { preconditionFailure("a payload with bytes has memory") }
    return deferred.inMemoryOrTrap()
  }

  /// The mapped file that holds the bytes, where it is a large record.
  var mapping: (any MappedPayload)? { owner as? any MappedPayload }
}

extension Payload: RandomAccessCollection {
  /// The first byte's position: 0.
  @inlinable public var startIndex: Int { 0 }
  /// The position after the last byte: `count`.
  @inlinable public var endIndex: Int { count }

  /// The byte at a position in `0 ..< count`; traps outside. O(1).
  @inlinable public subscript(position: Int) -> UInt8 {
    precondition(position >= 0 && position < count, "position \(position) is outside a payload of \(count) bytes")
    guard let base = unsafe base else { return inMemoryOrTrap()[position] }
    return unsafe base.load(fromByteOffset: position, as: UInt8.self)
  }

  /// Always calls `body`: the bytes are contiguous. O(1).
  @inlinable
  public func withContiguousStorageIfAvailable<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R? {
    try unsafe withUnsafeBytes { bytes in try unsafe bytes.withMemoryRebound(to: UInt8.self, body) }
  }
}

extension Payload: Hashable, CustomStringConvertible {
  /// Whether the bytes are the same. O(`count`).
  public static func == (left: Payload, right: Payload) -> Bool {
    guard left.count == right.count else { return false }
    return unsafe left.withUnsafeBytes { left in
      unsafe right.withUnsafeBytes { right in
        // Eight bytes at a time, and the rest one by one.
        let words = left.count / 8 * 8
        for offset in stride(from: 0, to: words, by: 8) {
          let (one, other) = unsafe (
            left.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
            right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          )
          if one != other { return false }
        }
        return unsafe left[words...].elementsEqual(right[words...])
      }
    }
  }

  /// Feeds the bytes. O(`count`).
  public func hash(into hasher: inout Hasher) {
    unsafe withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    hasher.combine(count)
  }

  /// The number of bytes.
  public var description: String { "\(count) bytes" }
}
