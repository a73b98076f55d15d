import Foundation
public import Immuta
import ImmutaLocking

/// Watches what a program does to the files of a directory, and makes the images of it that a power cut could leave.
///
/// ```swift
/// let power = PowerLoss(directory: path)
/// try await power.run {
///   let storage = try Storage(directory: path, namespaces: ["events"], configuration: .init(durability: .synced))
///   try await storage.append("promised", to: "events")
///   try power.image(into: other, using: &generator)   // what a power cut just now leaves
///   storage.close()
/// }
/// let storage = try Storage(directory: other, namespaces: ["events"])   // … and it must hold "promised"
/// ```
///
/// The model of the device, harsher than real ones:
///
/// - A flush of a file makes stable the bytes it had when the flush began, and its length. What changed later may be on
///   the device or not, each 4 KiB page by itself; a page may be torn in halves of 2 KiB or in sectors of 512 bytes.
///   The length may be the old one, the new one, or one in between. Lost pages inside the length read as zeros.
/// - Where `overwritesInPlace`, a flush of one file also makes stable the bytes of another that the device had been
///   given before, as far as they lie in blocks that a flush of that file itself has made known.
/// - A file's existence under its name is stable once its directory was flushed. Until then each creation, removal and renaming
///   may have happened or not; renaming is atomic. In a folder of the directory they reach the device in order, whatever reaches
///   it of other folders: what a log does to its segments relies on that, as file systems do it.
/// - Now and then pages reach the device by themselves, so an image may also hold what the files held some time before.
/// - After a power cut the machine has started again: Immuta's companions and the positions of consumers in an image are made to
///   say so.
///
/// What is in the directory when the watching begins is taken to be stable. Calls made by way of Immuta are seen, and
/// stores into files it has mapped; other programs' calls are not.
public final class PowerLoss: SystemCallHook {
  private let directory: String
  private let obeysFlush: @Sendable (_ path: String) -> Bool
  private let overwritesInPlace: Bool
  private let observer: (@Sendable (_ power: PowerLoss, _ moment: Int) -> Void)?
  private let disk: Lock<Disk>

  /// Watches a directory.
  ///
  /// - Parameters:
  ///   - directory: holds files, and folders with files, in which folders may be, too.
  ///   - seed: decides what reaches the device by itself.
  ///   - overwritesInPlace: whether the file system is one that overwrites blocks where they are.
  ///   - oddsOfWriteBack: at one moment in so many, pages reach the device by themselves.
  ///   - obeysFlush: whether flushing a path does anything: a device that lies, or a program that forgot, when it says
  ///     no.
  ///   - observer: called before and after each call on the directory's files, on whatever thread makes it, with the
  ///     number of times it was called before. It may take images; it must not call Immuta.
  public init(
    directory: String, seed: UInt64, overwritesInPlace: Bool = false, oddsOfWriteBack: Int = 24,
    obeysFlush: @escaping @Sendable (_ path: String) -> Bool = { _ in true },
    observer: (@Sendable (_ power: PowerLoss, _ moment: Int) -> Void)? = nil
  ) {
    self.directory = directory
    self.obeysFlush = obeysFlush
    self.overwritesInPlace = overwritesInPlace
    self.observer = observer
    disk = Lock(Disk(directory: directory, seed: seed, oddsOfWriteBack: oddsOfWriteBack))
  }

  /// Runs `body` while watching.
  public func run<Result>(_ body: () async throws -> Result) async rethrows -> Result {
    try await SystemCalls.withHook(self, body)
  }

  /// Writes what a power cut now could leave into a directory, which is made again.
  public func image(into target: String, using generator: inout SeededGenerator) throws {
    var drawn = generator
    let remains = disk.withLock { $0.remains(using: &drawn) }
    generator = drawn
    try? FileManager.default.removeItem(atPath: target)
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    for folder in remains.folders {
      try FileManager.default.createDirectory(atPath: "\(target)/\(folder)", withIntermediateDirectories: true)
    }
    for (name, bytes) in remains.files {
      var bytes = bytes
      Reboot.mark(&bytes, of: name)
      try FileBytes.write(bytes, to: "\(target)/\(name)")
    }
  }

  private func isWatched(_ path: String) -> Bool {
    path == directory || path.hasPrefix(directory + "/")
  }

  package func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    guard isWatched(path) else { return .proceed }
    let moment = disk.withLock { disk in
      switch call {
      case .flush: if obeysFlush(path) { disk.flushBegins(path) }
      case .writeBack: disk.writeBackBegins(path)
      default: break
      }
      return disk.nextMoment()
    }
    observer?(self, moment)
    return .proceed
  }

  package func didCall(_ call: SystemCall, path: String) {
    guard isWatched(path) else { return }
    let moment = disk.withLock { disk in
      switch call {
      case .open, .rename, .unlink, .makeDirectory: disk.noteEntries()
      case .flush: if obeysFlush(path) { disk.flushEnds(path) }
      case .writeBack: disk.writeBackEnds(path)
      default: break
      }
      return disk.nextMoment()
    }
    observer?(self, moment)
  }

  package func didWrite(_ range: Range<Int>, path: String) {
    if isWatched(path) { disk.withLock { $0.didWrite(range, path) } }
  }

  package func overwritesInPlace(path: String) -> Bool? {
    isWatched(path) ? overwritesInPlace : nil
  }
}

/// Makes the files of a machine look as after a restart of it.
public enum Reboot {
  /// Makes every companion, every consumer's position and every step's intent in a directory say that the machine has been down since it was written.
  public static func mark(directory: String) throws {
    for name in try FileManager.default.subpathsOfDirectory(atPath: directory) {
      let path = "\(directory)/\(name)"
      if FileBytes.isFolder(path) { continue }
      guard let bytes = try FileBytes.read(path) else { continue }
      var marked = bytes
      mark(&marked, of: name)
      if marked != bytes { try FileBytes.write(marked, to: path) }
    }
  }

  /// Marks a file's bytes; what it is, its name says, also while it is being made.
  static func mark(_ bytes: inout [UInt8], of name: String) {
    let name = name.hasSuffix(".new") ? String(name.dropLast(4)) : name
    if name.hasSuffix(".idx") || name.hasSuffix(".companion") { markCompanion(&bytes) }
    if name.hasSuffix(".position") { markPosition(&bytes) }
    if name.hasPrefix(".intents/") { markIntents(&bytes) }
  }

  /// Puts another slot in the place of each whole one; what is torn stays torn.
  ///
  /// - Parameter marked: the bytes of the slot that is to be there, given a file in which the others are empty; nil for none.
  private static func forEachSlot(
    _ starts: [Int], of size: Int, in bytes: inout [UInt8], _ marked: ([UInt8]) -> [UInt8]?
  ) {
    for start in starts where start < bytes.count {
      let slot = start..<min(bytes.count, start + size)
      var alone = [UInt8](repeating: 0, count: bytes.count)
      alone.replaceSubrange(slot, with: bytes[slot])
      guard let marked = marked(alone) else { continue }
      let end = min(bytes.count, start + marked.count)
      bytes.replaceSubrange(start..<end, with: marked.prefix(end - start))
    }
  }

  /// Of another run of the machine; unknown stays unknown.
  private static func other(_ bootIdentity: UInt64) -> UInt64 {
    bootIdentity == 0 ? 0 : BootIdentity.current ^ 0x5555
  }

  private static func markIntents(_ bytes: inout [UInt8]) {
    forEachSlot([0, StepIntent.slotSize], of: StepIntent.slotSize, in: &bytes) { alone in
      guard let found = alone.withUnsafeBytes({ StepIntent.slots(in: $0) }).whole.last else { return nil }
      var intent = found.intent
      intent.bootIdentity = other(intent.bootIdentity)
      return intent.encoded(generation: found.generation)
    }
  }

  private static func markPosition(_ bytes: inout [UInt8]) {
    guard bytes.count >= TwoSlots.size else { return }
    forEachSlot([0, TwoSlots.slotSize], of: TwoSlots.slotSize, in: &bytes) { alone in
      guard let found = alone.withUnsafeBytes({ ConsumerMark.slots(in: $0) }).current else { return nil }
      var mark = found.mark
      mark.bootIdentity = other(mark.bootIdentity)
      return mark.encoded(generation: found.generation)
    }
  }

  static func markCompanion(_ bytes: inout [UInt8]) {
    guard bytes.count >= CompanionHeader.size else { return }
    forEachSlot([0, CompanionHeader.slotSize], of: CompanionHeader.slotSize, in: &bytes) { alone in
      guard var header = alone.withUnsafeBytes({ CompanionHeader.current(in: $0) }) else { return nil }
      header.bootIdentity = other(header.bootIdentity)
      return header.encoded()
    }
  }
}
