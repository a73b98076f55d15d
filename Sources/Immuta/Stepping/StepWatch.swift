/// Reads the files of intents of a directory again and again while steps go on, to find out which steps were under way between
/// two moments.
///
/// A look costs two short reads for each file. If steps come quickly in a file, that file is looked at in between, too, which
/// costs one short read as long as nothing is new.
struct StepWatch {
  /// The intents by the files' names, and by their generations.
  typealias Intents = [String: [UInt64: StepIntent]]

  private let directory: Directory
  private let trust: FileTrust
  private var folder: Directory?
  private var files: [String: Watched] = [:]
  /// The files in which steps come quickly.
  private var quick: Set<String> = []

  private struct Watched {
    let file: WatchedFile
    /// The first sector of each slot that was whole when it was read last; empty where it was not.
    var sectors: [[UInt8]] = [[], []]
    /// The bytes of the intents' slots.
    var chain = StepChain<[UInt8]>()
  }

  /// - Parameter trust: of the directory.
  /// - Throws: `.foreignOwner`, `.io`.
  init(in directory: Directory, _ trust: FileTrust) throws(ImmutaError) {
    (self.directory, self.trust) = (directory, trust)
    _ = try update()
  }

  /// Finds the files that exist now.
  ///
  /// - Returns: whether all files that were known still exist. New ones are known from now on.
  private mutating func update() throws(ImmutaError) -> Bool {
    if folder == nil { folder = try io(trust.folder(IntentFile.folderName, in: directory)) }
    guard let folder else { return true }
    var isSame = true
    for (name, watched) in files where try !io(watched.file.hasName) {
      files[name] = nil
      isSame = false
    }
    for name in try io(folder.names()) where FileName.isValid(name) && files[name] == nil {
      guard let found = try io(folder.openIfPresentWithStatus(name, .read)) else { continue }
      files[name] = Watched(
        file: WatchedFile(
          found.file, found.status.identity, name, in: folder, isKept: files.count < WatchedFile.mostKept))
    }
    return isSame
  }

  // MARK: From one moment to another

  /// The first moment.
  mutating func begin() throws(ImmutaError) {
    for name in files.keys {
      guard let found = try read(name) else { continue }
      files[name]?.chain = StepChain(found)
    }
  }

  /// A look in between, at the files in which steps come quickly.
  mutating func look() throws(ImmutaError) {
    for name in quick {
      guard let watched = files[name], let file = try io(watched.file.opened()) else { continue }
      // The next intent is written over the older one.
      let offset = StepIntent.offset(of: watched.chain.next)
      let known = watched.sectors[offset / StepIntent.slotSize]
      if !known.isEmpty, try IntentFile.bytes(offset..<offset + TwoSlots.sector, of: file) == known { continue }
      if let found = try read(name) { files[name]?.chain.add(found) }
    }
  }

  /// The last moment.
  ///
  /// - Returns: all intents of steps that may have been under way since the first moment; nil if some may have been missed.
  /// - Throws: `.unsupportedVersion`, `.foreignOwner`, `.io`.
  mutating func end() throws(ImmutaError) -> Intents? {
    var isWhole = try update()
    var intents: Intents = [:]
    for name in files.keys {
      guard let found = try read(name) else {
        isWhole = false
        continue
      }
      files[name]?.chain.add(found)
      guard let watched = files[name] else { continue }
      if watched.chain.hasGrown { quick.insert(name) }
      if !watched.chain.isWhole { isWhole = false }
    }
    guard isWhole else { return nil }
    for (name, watched) in files {
      for (generation, bytes) in watched.chain.intents {
        let slots = generation & 1 == 0 ? [bytes, []] : [[], bytes]
        for found in try IntentFile.intents(in: slots, at: folder?.path(of: name) ?? name) {
          intents[name, default: [:]][generation] = found.intent
        }
      }
    }
    return intents
  }

  /// The whole slots of a file, by their generations; nil where the file is gone.
  private mutating func read(_ name: String) throws(ImmutaError) -> [UInt64: [UInt8]]? {
    guard var watched = files[name], let file = try io(watched.file.opened()) else { return nil }
    var found: [UInt64: [UInt8]] = [:]
    for slot in 0...1 {
      let bytes = try IntentFile.slot(at: slot * StepIntent.slotSize, of: file)
      let head = StepIntent.head(ofWholeSlot: bytes)
      // A step whose slot is being written is not decided on yet; the slot is read again.
      watched.sectors[slot] = head == nil ? [] : Array(bytes.prefix(TwoSlots.sector))
      if let head, StepIntent.offset(of: head.generation) == slot * StepIntent.slotSize {
        found[head.generation] = bytes
      }
    }
    files[name] = watched
    return found
  }
}
