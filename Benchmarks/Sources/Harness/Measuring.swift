import Foundation

/// The memory that files are cached in.
package enum PageCache {
  /// Writes to new page cache and gives it back, so that what is measured next finds memory that the machine has.
  ///
  /// What a virtual machine has freed for a while goes back to its host, and is slow to come again.
  package static func warm(_ bytes: Int, in directory: String) throws {
    let path = "\(directory)/warm"
    try Data().write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let piece = [UInt8](repeating: 1, count: 1 << 20)
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    for _ in 0..<max(bytes, 64 << 20) / piece.count + 1 { try file.write(contentsOf: piece) }
    try file.close()
  }
}

extension Array<Double> {
  /// The value in the middle; of an even number of them, the mean of the two. Not a number where there is none.
  package var median: Double {
    let sorted = sorted()
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
