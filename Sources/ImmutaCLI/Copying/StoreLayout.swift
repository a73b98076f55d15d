import Immuta

/// The file in which a store's directory remembers how many partitions it has. It never changes.
enum StoreLayout {
  static let fileName = "logstore.layout"

  static func isThere(in place: Directory) throws -> Bool { try io(place.status(of: fileName)) != nil }

  /// Copies it where there is one, and none yet. On stable storage when it returns.
  static func copy(from source: Directory, to place: Directory) throws {
    guard let file = try io(source.openIfPresent(fileName, .read)), try !isThere(in: place) else { return }
    let size = try io(file.size)
    try io(file.copy(0..<size, to: fileName, in: place, like: file))
    try io(place.flush())
  }
}
