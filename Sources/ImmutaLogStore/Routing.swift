/// How a key picks a partition. Messages of one key go to one partition, in which their order holds.
///
/// A store remembers the name of its routing, and is only opened with a routing of that name: other rules would send a
/// key's later messages elsewhere.
public struct Routing: Sendable {
  /// The name that the store's directory remembers.
  public let name: String
  private let choose: @Sendable (_ key: Span<UInt8>, _ partitions: Int) -> Int

  /// A rule of your own.
  ///
  /// - Parameters:
  ///   - name: 1 to 100 ASCII letters, digits, `.`, `_` and `-`. Give a rule that answers differently another name.
  ///   - choose: the partition of a key, from 0 up to the number of partitions, exclusive; anything else traps. Always
  ///     the same for the same key and number.
  public init(name: String, _ choose: @escaping @Sendable (_ key: Span<UInt8>, _ partitions: Int) -> Int) {
    precondition(
      Self.isValid(name), "a routing's name has 1 to 100 ASCII letters, digits, “.”, “_” and “-”")
    self.name = name
    self.choose = choose
  }

  static func isValid(_ name: String) -> Bool {
    (1...100).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  /// FNV-1a of the key, 32 bits, modulo the number of partitions. New stores use this.
  public static let modulo = Routing(name: "fnv1a-mod-n") { key, partitions in
    Int(fnv1a(key) % UInt32(truncatingIfNeeded: partitions))
  }

  /// FNV-1a of the key, 32 bits, modulo the number of partitions less one: as the Go program does it. Its last
  /// partition stays empty. If the store has one partition only, all keys go there.
  public static let goCompatible = Routing(name: "go-compatible") { key, partitions in
    Int(fnv1a(key) % UInt32(truncatingIfNeeded: max(1, partitions - 1)))
  }

  /// The routings that have their name from here.
  static let named = [modulo, goCompatible]

  /// A routing whose name alone is known.
  static func unknown(named name: String) -> Routing {
    Routing(name: name) { _, _ in
      preconditionFailure("the store was opened without its routing, “\(name)”: give it to ask for a key's partition")
    }
  }

  func partition(of key: Span<UInt8>, among partitions: Int) -> Int {
    let partition = choose(key, partitions)
    precondition(
      partition >= 0 && partition < partitions,
      "the routing “\(name)” gave partition \(partition); there are \(partitions)")
    return partition
  }

  private static func fnv1a(_ key: Span<UInt8>) -> UInt32 {
    var hash: UInt32 = 2_166_136_261
    // Wrapping: the hash is defined modulo 2³².
    for position in key.indices { hash = (hash ^ UInt32(key[position])) &* 16_777_619 }
    return hash
  }
}
