/// The names that logs and consumers may have, which become names of files.
package enum FileName {
  /// Whether it is 1 to 200 letters, digits, “.”, “_” or “-”, and does not begin with “.”: so on every system it names a file in
  /// its directory, and never one elsewhere.
  package static func isValid(_ name: String) -> Bool {
    guard (1...200).contains(name.utf8.count), name.utf8.first != UInt8(ascii: ".") else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
  }
}
