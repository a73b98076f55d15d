/// What records of a log may have as their key: see ``Log/keyed(_:version:by:)``. Text and bytes can be keys, and so can a type
/// of your own, such as an enum or the number of an account.
public protocol RecordKey: Hashable, Sendable {
  /// The key's bytes. Two keys are the same if their bytes are. The bytes of a key must not change unless the index's version
  /// does.
  var keyBytes: [UInt8] { get }
}

extension String: RecordKey {
  /// The text as UTF-8. Texts that only look alike have different bytes.
  @inlinable public var keyBytes: [UInt8] { Array(utf8) }
}

extension Substring: RecordKey {
  /// The text as UTF-8.
  @inlinable public var keyBytes: [UInt8] { Array(utf8) }
}

extension Array: RecordKey where Element == UInt8 {
  /// The array itself.
  @inlinable public var keyBytes: [UInt8] { self }
}
