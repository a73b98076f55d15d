import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization

/// What a program whose calls fail finds when it begins.
enum FailingStart: String, CaseIterable, Sendable {
  /// Not even a directory.
  case nothing
  /// A log whose process died.
  case unclosed
  /// A log whose machine went down, having lost nothing.
  case rebooted
  /// A closed log without its companion.
  case withoutCompanion

  /// The files, and what is known of them.
  struct Image {
    var files: [String: [UInt8]] = [:]
    var model = LogModel().snapshot

    /// Puts the files into a directory that is not there yet.
    func write(to directory: String) throws {
      if files.isEmpty { return }
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      for (name, bytes) in files { try FileBytes.write(bytes, to: "\(directory)/\(name)") }
    }
  }

  /// Hundreds of programs begin alike: what they find is made once.
  private static let images = Mutex<[Kind: Image]>([:])

  private struct Kind: Hashable {
    var start: FailingStart
    var format: LogFormat
  }

  func image(_ format: LogFormat) async throws -> Image {
    let kind = Kind(start: self, format: format)
    if let image = Self.images.withLock({ $0[kind] }) { return image }
    let image = try await make(format)
    Self.images.withLock { $0[kind] = image }
    return image
  }

  private func make(_ format: LogFormat) async throws -> Image {
    if self == .nothing { return Image() }
    let root = TemporaryDirectory(inMemory: true)
    let storage = try Storage(
      directory: root.file("logs"), namespaces: ["events"],
      configuration: TestedDurability.buffered.configuration(format))
    defer { storage.close() }
    let model = LogModel()
    for number in 0..<6 {
      // One of them is too large to go through the window.
      let content = Content(identity: 1000 + UInt64(number), size: number == 4 ? 20_000 : 300)
      let receipt = try await storage.append(content.bytes, to: "events")
      try model.succeeded(model.begins([content]), first: receipt.sequence)
      // What follows is not known to be stable.
      if number == 3 { try await storage.sync() }
    }
    if self == .withoutCompanion { storage.close() }
    let copy = root.file("copy")
    try FileBytes.copy(directory: root.file("logs"), to: copy)
    if self == .rebooted { try Reboot.mark(directory: copy) }
    var image = Image(model: model.snapshot)
    let companion = format.testFiles(of: "events", in: copy).companion
    if self == .withoutCompanion { try FileManager.default.removeItem(atPath: companion) }
    for name in try FileManager.default.contentsOfDirectory(atPath: copy) {
      image.files[name] = try FileBytes.read("\(copy)/\(name)")
    }
    return image
  }
}
