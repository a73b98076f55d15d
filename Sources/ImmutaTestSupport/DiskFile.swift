import Foundation
import ImmutaLibC

/// A file as ``PowerLoss`` knows it: what the device holds for sure, and, by a descriptor of its own, what programs
/// see.
///
/// The descriptor stays open, so the file can be looked at after it was renamed or removed, and its identity is not
/// given to another.
final class DiskFile {
  /// The bytes that survive a power cut now, whatever else does.
  var stable: [UInt8]
  /// Where the bytes end that were ever written.
  var writtenEnd = 0
  /// Where the bytes end whose blocks the file system's journal, and the device, know of for good.
  private var knownEnd = 0
  private let descriptor: Int32

  /// - Parameter isStable: whether the file's present bytes are on the device.
  init?(path: String, isStable: Bool) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    stable = []
    if descriptor < 0 { return nil }
    if isStable { stable = current() }
  }

  deinit {
    close(descriptor)
  }

  /// The device was flushed for this file, which then had these bytes, and had been written up to `writtenEnd`.
  func settle(_ bytes: [UInt8], writtenEnd: Int) {
    stable = bytes
    knownEnd = min(writtenEnd, bytes.count)
  }

  /// The device had these bytes, and was flushed for another file: that makes stable what lies in blocks that are
  /// known.
  func settleKnownBlocks(_ bytes: [UInt8]) {
    let end = min(knownEnd, bytes.count, stable.count)
    stable.replaceSubrange(..<end, with: bytes[..<end])
  }

  /// What programs see.
  ///
  /// A file that is being written is read while it changes, page by page, as a device would get it.
  func current() -> [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, filled in
      while filled < buffer.count {
        guard let base = buffer.baseAddress else { break }
        let count = pread(descriptor, base + filled, buffer.count - filled, off_t(filled))
        if count <= 0 { break }
        filled += count
      }
    }
  }

  /// The file that a power cut now may leave: of each page that changed, the old bytes, the new ones, or some sectors
  /// of each; and as its length the old one, the new one, or one in between.
  func remains(using generator: inout SeededGenerator) -> [UInt8] {
    Self.mix(stable, current(), using: &generator)
  }

  private static let page = 4096

  static func mix(_ old: [UInt8], _ new: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
    let size: Int
    switch Int.random(in: 0..<5, using: &generator) {
    case 0, 1: size = old.count
    case 2, 3: size = new.count
    default:
      // A file grows or shrinks by whole pages on its way from one length to the other.
      let between = Int.random(in: min(old.count, new.count)...max(old.count, new.count), using: &generator)
      size = max(min(old.count, new.count), between / page * page)
    }
    // How eager the device was: from having written nearly nothing to nearly everything.
    let eagerness = Int.random(in: 0...8, using: &generator)
    var result = [UInt8](repeating: 0, count: size)
    var start = 0
    while start < size {
      let end = min(start + page, size)
      if isSame(old, new, start..<end) {
        copy(old, start..<end, to: &result)
      } else if generator.oneIn(6) {
        // Torn: halves, or single sectors.
        let unit = Bool.random(using: &generator) ? 2048 : 512
        for piece in stride(from: start, to: end, by: unit) {
          copy(Bool.random(using: &generator) ? old : new, piece..<min(piece + unit, end), to: &result)
        }
      } else {
        copy(Int.random(in: 0..<8, using: &generator) < eagerness ? new : old, start..<end, to: &result)
      }
      start = end
    }
    return result
  }

  private static func isSame(_ left: [UInt8], _ right: [UInt8], _ range: Range<Int>) -> Bool {
    guard range.upperBound <= min(left.count, right.count) else { return false }
    return left.withUnsafeBytes { left in
      right.withUnsafeBytes { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return true }
        return memcmp(left + range.lowerBound, right + range.lowerBound, range.count) == 0
      }
    }
  }

  /// Copies a range, as far as the source reaches; after its end it reads as zeros.
  private static func copy(_ source: [UInt8], _ range: Range<Int>, to target: inout [UInt8]) {
    let range = range.clamped(to: 0..<source.count)
    if range.isEmpty { return }
    target.withUnsafeMutableBytes { target in
      source.withUnsafeBytes { source in
        UnsafeMutableRawBufferPointer(rebasing: target[range]).copyBytes(from: source[range])
      }
    }
  }
}
